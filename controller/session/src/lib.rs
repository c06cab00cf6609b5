//! The agents' side of the controller: enrolment and sessions.
