//! Runtime on the Docker engine, its networks and the firewall.
