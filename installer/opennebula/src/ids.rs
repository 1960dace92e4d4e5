//! Identifiers: numbers of oned that cannot be mixed up.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i32);

        impl From<i32> for $name {
            fn from(number: i32) -> Self {
                Self(number)
            }
        }

        impl From<$name> for i32 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<$name> for crate::xmlrpc::Value {
            fn from(id: $name) -> Self {
                Self::from(id.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// A cluster. `-1` in a call is the default cluster.
    ClusterId,
    /// A host.
    HostId,
    /// A virtual network.
    NetworkId,
    /// An address range of one network: counted in that network.
    RangeId,
    /// A datastore.
    DatastoreId,
    /// An image.
    ImageId,
    /// A user. `0` is oneadmin.
    UserId,
    /// A group. `0` is oneadmin's.
    GroupId,
    /// A marketplace.
    MarketplaceId,
    /// An appliance of a marketplace.
    MarketplaceAppId,
    /// A template of machines.
    TemplateId,
    /// A virtual machine.
    MachineId,
    /// A rule of access control.
    AclId,
}
