//! The agent's plan, step by step: pure, over a trait Runtime.
