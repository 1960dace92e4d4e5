//! XML digital signatures in the one narrow profile that manifests use.
