//! The four operations of password management, one file each: request, response, description, handler.

pub mod digit;
pub mod query;
pub mod set;
pub mod status;

/// The longest name or native id of an account, in characters: a distinguished name may be long.
const LONGEST_NAME: usize = 2048;

/// The longest spelling of an id.
const LONGEST_ID: usize = 64;

/// The longest encrypted password, in characters: a 4096-bit payload in base64 wrapped in lines has less than 800.
const LONGEST_PAYLOAD: usize = 4096;
