"""Certificates for servers and callers, in files."""


def certified(folder, authority, *names, callers=None, **how):
    """Write a certificate and its key; gives the server's settings."""
    certificate = authority.issue_cert(*(names or ("localhost", "127.0.0.1")), **how)
    files = {"tls_cert": folder / "cert.pem", "tls_key": folder / "key.pem"}
    files["tls_cert"].write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(files["tls_key"])
    if callers is not None:
        files["tls_client_ca"] = folder / "callers.pem"
        callers.cert_pem.write_to_path(files["tls_client_ca"])
    return {name: str(path) for name, path in files.items()}


def of_caller(folder, authority):
    """Write a caller's certificate and key; gives their files."""
    certificate, files = authority.issue_cert("caller@example.org"), (folder / "caller.pem", folder / "caller.key")
    certificate.cert_chain_pems[0].write_to_path(files[0])
    certificate.private_key_pem.write_to_path(files[1])
    return [str(file) for file in files]
