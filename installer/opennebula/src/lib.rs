//! OpenNebula's XML-RPC interface.
