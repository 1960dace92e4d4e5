//! What has to be done to which host, and why: a pure function of the site and the facts.
