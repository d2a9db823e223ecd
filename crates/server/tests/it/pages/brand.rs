//! The organisation's own name, picture and colour.

use lockstep_store::{application, application_icon};

use super::{PASSWORD, application as add_application, start};
use crate::browser::Browser;
use crate::harness::Harness;

#[tokio::test]
async fn the_pages_have_the_name_the_picture_and_the_colour_of_the_organisation() {
    let folder = tempfile::tempdir().expect("a folder");
    let logo = folder.path().join("logo.svg");
    std::fs::write(&logo, "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>").expect("a file");
    let settings = format!(
        "[organisation]\nname = \"example\"\ndisplay-name = \"Example & Sons\"\nlogo = \"{}\"\ncolour = \"#0b6e4f\"\n",
        logo.display()
    );
    let harness = Harness::start_with(&settings).await;
    let mut browser = Browser::new(&harness);
    let page = browser.get(&harness.url("/sign-in")).await;
    assert!(page.text.contains("Example &#38; Sons") && page.text.contains("src=\"/assets/logo\""), "{}", page.text);
    assert!(!page.text.contains("Lockstep"), "{}", page.text);
    assert!(page.headers["content-security-policy"].to_str().expect("text").contains("img-src 'self'"));
    let styles = browser.get(&harness.url("/assets/lockstep.css")).await;
    assert!(styles.text.contains("--accent: #0b6e4f"), "{}", styles.text);
    let picture = browser.get(&harness.url("/assets/logo")).await;
    assert_eq!(picture.headers["content-type"], "image/svg+xml");
    let policy = picture.headers["content-security-policy"].to_str().expect("text");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("sandbox"),
        "what is in it does nothing: {policy}"
    );
    harness.stop().await;

    let harness = Harness::start().await;
    let mut browser = Browser::new(&harness);
    assert_eq!(browser.get(&harness.url("/assets/logo")).await.status, 404);
    let page = browser.get(&harness.url("/sign-in")).await;
    assert!(page.text.contains("<bdi>Lockstep</bdi>") && !page.text.contains("<img"), "{}", page.text);
    harness.stop().await;
}

#[tokio::test]
async fn an_application_is_known_by_its_icon_which_does_nothing_and_is_asked_for_once() {
    let harness = start().await;
    for (name, source) in [("Invoices", harness.world.billing), ("Wiki", harness.world.lone)] {
        add_application(&harness, name, source).await;
    }
    const DRAWN: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    harness
        .write(|tx| {
            Box::pin(async move {
                for one in application::list(tx).await? {
                    application_icon::put(tx, one.id, &format!("{:032x}", one.name.len()), DRAWN.as_bytes()).await?;
                }
                Ok(())
            })
        })
        .await;
    let mut browser = Browser::new(&harness);
    let page = browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let alone = "<img class=\"icon\" src=\"/assets/icons/00000000000000000000000000000004\" alt=\"\"";
    let shared = "<img class=\"beside\" src=\"/assets/icons/00000000000000000000000000000008\" alt=\"\" width=\"16\" height=\"16\"> <bdi>Invoices</bdi>";
    assert!(page.text.contains(alone) && page.text.contains(shared), "{}", page.text);
    let icon = Browser::new(&harness).get(&harness.url("/assets/icons/00000000000000000000000000000004")).await;
    assert_eq!((icon.status, icon.text.as_str()), (200, DRAWN));
    assert_eq!(icon.headers["content-type"], "image/svg+xml");
    assert!(icon.headers["content-security-policy"].to_str().expect("text").contains("sandbox"));
    assert_eq!(icon.headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(icon.headers["x-content-type-options"], "nosniff");
    for none in ["00000000000000000000000000000005", "d4", "%00"] {
        assert_eq!(browser.get(&harness.url(&format!("/assets/icons/{none}"))).await.status, 404, "{none}");
    }
    harness.stop().await;
}
