//! The public gRPC services.
