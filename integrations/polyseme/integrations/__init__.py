"""Other libraries' interfaces over the SDK: a module for each library, which needs the extra of its name."""
