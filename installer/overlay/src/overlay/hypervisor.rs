//! The bundle of a node that becomes a host of OpenNebula.

use super::{Error, Form, Overlay};
use stratus_network::overlay::{
    HOST_DIRECTIVES, Hypervisor, Token, bridge, context, host_script, join_script, mtu,
    packed_cloud_init,
};
use zeroize::Zeroizing;

impl Overlay<'_> {
    /// Lets bundles with a join token make their machine a node of OpenNebula with this shell program
    /// (see [`Hypervisor::program`]). One file for openvpn makes none.
    pub fn bring(&mut self, software: String) {
        self.software = Some(software);
    }

    pub(super) fn written_for_host(
        &self,
        profile: &str,
        token: Token<'_>,
        form: Form,
        path_mtu: u16,
        software: &str,
    ) -> Result<Zeroizing<String>, Error> {
        let client = self.register.client(token.name)?;
        let bridge = bridge(self.site, self.vpn).ok_or(Error::NoBridge)?;
        let host = Hypervisor {
            bridge,
            address: client.address,
            prefix: self.vpn.subnet.prefix_len(),
            mac: client.mac,
            mtu: mtu(self.vpn, path_mtu).tunnel,
            program: software,
        };
        let profile = Zeroizing::new(format!("{profile}{HOST_DIRECTIVES}"));
        let join = Zeroizing::new(join_script(&profile, token));
        let script = Zeroizing::new(host_script(&join, token, host));
        Ok(Zeroizing::new(match form {
            Form::Context => context(&script, token.name),
            Form::CloudInit | Form::Ovpn => packed_cloud_init(&script, token.name),
        }))
    }
}
