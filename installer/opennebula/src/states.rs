//! States: the numbers of oned as closed lists. A number that we do not know is kept as
//! `Other`, so that a later OpenNebula is readable.

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident { $($number:literal $variant:ident $text:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $(
                #[doc = concat!("`", $text, "`, ", stringify!($number), ".")]
                $variant,
            )+
            /// A number without a name here.
            Other(i32),
        }

        impl $name {
            /// Every state that has a name.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// oned's number.
            pub const fn number(self) -> i32 {
                match self {
                    $(Self::$variant => $number,)+
                    Self::Other(number) => number,
                }
            }
        }

        impl From<i32> for $name {
            fn from(number: i32) -> Self {
                match number {
                    $($number => Self::$variant,)+
                    other => Self::Other(other),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse::<i32>().map(Self::from)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)+
                    Self::Other(number) => write!(f, "state {number}"),
                }
            }
        }
    )+};
}

states! {
    /// State of a host.
    HostState {
        0 Init "INIT",
        1 MonitoringMonitored "MONITORING_MONITORED",
        2 Monitored "MONITORED",
        3 Error "ERROR",
        4 Disabled "DISABLED",
        5 MonitoringError "MONITORING_ERROR",
        6 MonitoringInit "MONITORING_INIT",
        7 MonitoringDisabled "MONITORING_DISABLED",
        8 Offline "OFFLINE",
    }

    /// State of a virtual network.
    NetworkState {
        0 Init "INIT",
        1 Ready "READY",
        2 LockCreate "LOCK_CREATE",
        3 LockDelete "LOCK_DELETE",
        4 Done "DONE",
        5 Error "ERROR",
        6 UpdateFailure "UPDATE_FAILURE",
    }

    /// State of an image.
    ImageState {
        0 Init "INIT",
        1 Ready "READY",
        2 Used "USED",
        3 Disabled "DISABLED",
        4 Locked "LOCKED",
        5 Error "ERROR",
        6 Clone "CLONE",
        7 Delete "DELETE",
        8 UsedPersistent "USED_PERS",
        9 LockedUsed "LOCKED_USED",
        10 LockedUsedPersistent "LOCKED_USED_PERS",
    }

    /// Type of an image.
    ImageType {
        0 Os "OS",
        1 Cdrom "CDROM",
        2 Datablock "DATABLOCK",
        3 Kernel "KERNEL",
        4 Ramdisk "RAMDISK",
        5 Context "CONTEXT",
        6 Backup "BACKUP",
    }

    /// Type of a datastore.
    DatastoreType {
        0 Image "IMAGE_DS",
        1 System "SYSTEM_DS",
        2 File "FILE_DS",
        3 Backup "BACKUP_DS",
    }

    /// Whether a datastore or a marketplace is in use.
    ServiceState {
        0 Enabled "ENABLED",
        1 Disabled "DISABLED",
    }

    /// State of an appliance in a marketplace.
    AppState {
        0 Init "INIT",
        1 Ready "READY",
        2 Locked "LOCKED",
        3 Error "ERROR",
        4 Disabled "DISABLED",
    }

    /// State of a machine.
    MachineState {
        0 Init "INIT",
        1 Pending "PENDING",
        2 Hold "HOLD",
        3 Active "ACTIVE",
        4 Stopped "STOPPED",
        5 Suspended "SUSPENDED",
        6 Done "DONE",
        8 PowerOff "POWEROFF",
        9 Undeployed "UNDEPLOYED",
        10 Cloning "CLONING",
        11 CloningFailure "CLONING_FAILURE",
    }

    /// What an active machine is doing.
    LcmState {
        0 Init "LCM_INIT",
        1 Prolog "PROLOG",
        2 Boot "BOOT",
        3 Running "RUNNING",
        4 Migrate "MIGRATE",
        5 SaveStop "SAVE_STOP",
        6 SaveSuspend "SAVE_SUSPEND",
        7 SaveMigrate "SAVE_MIGRATE",
        8 PrologMigrate "PROLOG_MIGRATE",
        9 PrologResume "PROLOG_RESUME",
        10 EpilogStop "EPILOG_STOP",
        11 Epilog "EPILOG",
        12 Shutdown "SHUTDOWN",
        15 CleanupResubmit "CLEANUP_RESUBMIT",
        16 Unknown "UNKNOWN",
        17 Hotplug "HOTPLUG",
        18 ShutdownPowerOff "SHUTDOWN_POWEROFF",
        23 CleanupDelete "CLEANUP_DELETE",
        24 HotplugSnapshot "HOTPLUG_SNAPSHOT",
        25 HotplugNic "HOTPLUG_NIC",
        29 ShutdownUndeploy "SHUTDOWN_UNDEPLOY",
        30 EpilogUndeploy "EPILOG_UNDEPLOY",
        31 PrologUndeploy "PROLOG_UNDEPLOY",
        32 BootUndeploy "BOOT_UNDEPLOY",
        36 BootFailure "BOOT_FAILURE",
        37 BootMigrateFailure "BOOT_MIGRATE_FAILURE",
        38 PrologMigrateFailure "PROLOG_MIGRATE_FAILURE",
        39 PrologFailure "PROLOG_FAILURE",
        40 EpilogFailure "EPILOG_FAILURE",
        41 EpilogStopFailure "EPILOG_STOP_FAILURE",
        42 EpilogUndeployFailure "EPILOG_UNDEPLOY_FAILURE",
        47 BootUndeployFailure "BOOT_UNDEPLOY_FAILURE",
        48 BootStoppedFailure "BOOT_STOPPED_FAILURE",
        49 PrologResumeFailure "PROLOG_RESUME_FAILURE",
        50 PrologUndeployFailure "PROLOG_UNDEPLOY_FAILURE",
        57 DiskSnapshot "DISK_SNAPSHOT",
        62 DiskResize "DISK_RESIZE",
        66 HotplugResize "HOTPLUG_RESIZE",
        69 Backup "BACKUP",
        71 Restore "RESTORE",
    }
}

impl LcmState {
    /// Whether the machine stopped because a step failed; `one.vm.recover` is the way on.
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::BootFailure
                | Self::BootMigrateFailure
                | Self::PrologMigrateFailure
                | Self::PrologFailure
                | Self::EpilogFailure
                | Self::EpilogStopFailure
                | Self::EpilogUndeployFailure
                | Self::BootUndeployFailure
                | Self::BootStoppedFailure
                | Self::PrologResumeFailure
                | Self::PrologUndeployFailure
        )
    }
}
