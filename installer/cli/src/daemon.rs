//! The way to OpenNebula's daemon: it listens on the front-end's loopback, so that calls go there
//! by the same connection as everything else.

use crate::fleet::{Fleet, host_failure};
use anyhow::Result;
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use stratus_execute::drive::{Attention, run_well};
use stratus_execute::host::{Deadlines, Host, Work};
use stratus_opennebula::{Client, HttpTransport, Limits, Session, Transport, TransportError};
use stratus_site::Site;
use stratus_terminal::{Exit, Failure};

/// Where oned's administrator is named, on the front-end.
const ONE_AUTH: &str = "/var/lib/one/.one/one_auth";

/// Calls that are made by `curl` on a host, the body on its standard input.
pub struct ThroughHost {
    host: Arc<dyn Host>,
    endpoint: String,
}

#[async_trait]
impl Transport for ThroughHost {
    fn endpoint(&self) -> &str {
        &self.endpoint
    }

    async fn exchange(
        &self,
        body: SecretString,
        limits: Limits,
    ) -> Result<Vec<u8>, TransportError> {
        let seconds = limits.time.as_secs().max(1);
        let work = Work {
            what: format!("a call to {}", self.endpoint),
            script: format!(
                "exec curl --silent --show-error --fail --noproxy '*' --max-time {seconds} \
                 --header 'Content-Type: text/xml' --data-binary @- {}",
                self.endpoint
            ),
            payload: body.expose_secret().as_bytes().to_vec(),
            deadlines: Deadlines {
                remark: limits.time,
                silence: limits.time + Duration::from_secs(5),
                total: limits.time + Duration::from_secs(10),
            },
            stdout_limit: limits.answer_bytes,
        };
        let output = run_well(&*self.host, &work, &Attention::none()).await;
        output.map(|o| o.stdout).map_err(|error| TransportError::Unreachable(error.into()))
    }
}

/// A client with the rights of oneadmin.
pub(crate) async fn client(site: &Site, fleet: &Fleet) -> Result<Client> {
    let frontend = fleet.frontend(site);
    let auth = one_auth(&frontend).await;
    fleet.tell_learned_keys();
    let auth = auth?;
    let session = Session::from_auth_file(&auth).map_err(|e| {
        Failure::new(Exit::Failed, format!("`{ONE_AUTH}` cannot be used")).because(e)
    })?;
    let endpoint = format!("http://127.0.0.1:{}/RPC2", site.frontend.port);
    let transport: Arc<dyn Transport> = if fleet.frontend_is_here {
        Arc::new(HttpTransport::new(&endpoint)?)
    } else {
        Arc::new(ThroughHost { host: frontend, endpoint })
    };
    Ok(Client::new(transport, session))
}

async fn one_auth(frontend: &Arc<dyn Host>) -> Result<SecretString> {
    let work = Work {
        what: "reading OpenNebula's credentials".to_owned(),
        script: format!("exec cat {ONE_AUTH}"),
        payload: Vec::new(),
        deadlines: Deadlines::silent_for(Duration::from_secs(30)),
        stdout_limit: 4096,
    };
    let output = run_well(&**frontend, &work, &Attention::none()).await.map_err(host_failure)?;
    let text = String::from_utf8(output.stdout)
        .map_err(|_| Failure::new(Exit::Failed, format!("`{ONE_AUTH}` is not text")))?;
    Ok(text.into())
}
