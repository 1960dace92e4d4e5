//! Certificates, keys and chains: who signed, and who vouches for them.
