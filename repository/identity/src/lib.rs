//! Who is asking: directory, password file, tokens, client certificates.
