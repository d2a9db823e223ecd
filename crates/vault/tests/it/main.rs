//! The vault as the server uses it, and against OpenSSL, which is what clients encrypt with.

mod openssl;
mod padding;
mod vault;
