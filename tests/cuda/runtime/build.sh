#!/usr/bin/env bash
# Build the fake CUDA runtime: build.sh INCLUDE OUT, with the folder of cuda_runtime_api.h. Needs cc.
# OUT/cuda is for every test, OUT/cudnn and OUT/tensorrt for those that ask for them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2/cuda" "$2/cudnn" "$2/tensorrt"
include=$(cd "$1" && pwd) out=$(cd "$2" && pwd)

library() { # FOLDER NAME [ARGUMENT...]: symbols get the library's name as their version, as NVIDIA's have
  local folder=$out/$1 name=$2
  shift 2
  printf '%s { global: *; };\n' "$name" >"$out/version.map"
  cc -std=gnu11 -O3 -Wall -Wextra -Wno-unused-parameter -Werror -fPIC -shared -I"$include" "$@" \
    -o "$folder/$name" -Wl,-soname,"$name" -Wl,--version-script="$out/version.map"
}

cd "$here"
library cuda libcudart.so.13 journal.c errors.c device.c memory.c streams.c capture.c images.c launch.c compute.c \
  computed/{activation,arguments,attention,elementwise,movement,normalization,reduction,rotation,table,unfused}.c -lpthread -lm
library cuda libcublas.so.13 cublas.c computed/product.c -L"$out/cuda" -l:libcudart.so.13
library cuda libcublasLt.so.13 cublaslt.c -L"$out/cuda" -l:libcudart.so.13
library cuda libcurand.so.10 curand.c
library cuda libcuda.so.1 driver.c
library cudnn libcudnn.so.9 cudnn.c
library tensorrt libnvinfer.so.10 tensorrt.c
library tensorrt libnvonnxparser.so.10 tensorrt.c
rm "$out/version.map"
