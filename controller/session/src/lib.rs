//! The agents' side of the controller: enrolment, renewal, and one session per blade.
//!
//! [`session`] holds the protocol as a pure step function; [`run`] is the loop around it; [`registry`] knows who is
//! connected and who has fallen silent; [`service`] is the gRPC surface; [`listener`] accepts TLS connections and reads
//! the node's identity from the certificate, which is the only place that it ever comes from.

pub mod authority;
pub mod listener;
pub mod registry;
pub mod relay;
mod run;
pub mod service;
pub mod session;
mod turns;

pub use authority::{AuthorityError, CertificateAuthority, IssuedCertificate};
pub use registry::{Registry, Timing};
pub use relay::Rendezvous;
pub use service::AgentServer;
