//! Two servers on one SQLite file would each believe that it owns every bucket: the second one is refused.

use super::installation::{Installation, quick};
use super::state::State;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_one_file_is_refused() {
    let mut installation = Installation::new(quick(), &State::default()).await;
    installation.start().await;

    let second = installation.second_server().await;
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("error: "), "{said}");
    assert!(said.contains("another") && said.contains("lockstep.db"), "it does not say why: {said}");

    // The first is not disturbed, and a kill leaves no lock behind.
    installation.api().await;
    installation.kill().await;
    installation.start().await;
    assert!(installation.stop().await.success());
}
