//! Places where a test makes the process fail: between any two durable steps there is one.
//!
//! They exist in builds with the feature `failpoints` only, which is the tests' own dependency. Without it the macro is
//! nothing at each place, and no name is in the binary: `cargo xtask test` looks for them there.

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("failpoints are for the tests: a release build must not be one that the environment can make fail");

#[cfg(feature = "failpoints")]
mod armed;

#[cfg(feature = "failpoints")]
pub use armed::{ArmingError, Failed, Failpoint, Failpoints, VARIABLE};

/// Passes a place. Where a failure was asked for here, the function returns it as its error, or returns the value that
/// is said.
macro_rules! failpoint {
    ($app:expr, $point:ident $(if $condition:expr)?) => {
        $crate::failpoint::failpoint!($app, $point $(if $condition)?, |failed| Err(failed.into()))
    };
    ($app:expr, $point:ident $(if $condition:expr)?, |$failed:pat_param| $value:expr) => {
        #[cfg(feature = "failpoints")]
        {
            let passes = true $(&& $condition)?;
            let passed = match passes {
                true => $app.failpoints.pass($crate::failpoint::Failpoint::$point).await,
                false => Ok(()),
            };
            if let Err($failed) = passed {
                return $value;
            }
        }
    };
}
pub(crate) use failpoint;
