//! password-dictionary.

use crate::harness::{Answer, Harness};

const PATH: &str = "/v2024/password-dictionary";

/// A form with a note, which nobody asked for, and a file in a field of that name.
fn form(request: reqwest::RequestBuilder, field: &str, file: &[u8]) -> reqwest::RequestBuilder {
    let note = "--limit\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nignored\r\n";
    let head = format!("--limit\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"words.txt\"\r\n\r\n");
    let body = [note.as_bytes(), head.as_bytes(), file, b"\r\n--limit--\r\n"].concat();
    request.header("content-type", "multipart/form-data; boundary=limit").body(body)
}

async fn put(harness: &Harness, token: &str, file: Vec<u8>) -> Answer {
    Answer::of(form(harness.ask("PUT", PATH, token), "file", &file)).await
}

#[tokio::test]
async fn words_are_replaced_and_read_as_they_were_uploaded() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    harness.get(PATH, &token).await.refused(404, "404 Not found");
    let first = put(&harness, &token, b"# ours\nlocale=en_US\nacme\n".to_vec()).await;
    let tag = first.etag();
    first.with_status(201);
    put(&harness, &token, "caf\u{e9}\r\n".as_bytes().to_vec()).await.with_status(200);

    for accept in ["text/plain", "application/json", "*/*", "text/plain, application/json"] {
        let read = harness.ask("GET", "/password-dictionary/v1", &token).header("accept", accept).send().await;
        let read = read.expect("an answer");
        assert_eq!(read.status(), 200);
        assert_eq!(read.headers()["content-type"], "text/plain; charset=utf-8");
        assert_ne!(read.headers()["etag"], tag.as_str());
        assert_eq!(read.text().await.expect("text"), "caf\u{e9}\n");
    }
    let html = harness.ask("GET", PATH, &token).header("accept", "text/html");
    assert_eq!(Answer::of(html).await.status, 406);

    let outdated = form(harness.ask("PUT", PATH, &token).header("if-match", tag), "file", b"third\n");
    Answer::of(outdated).await.refused(412, "412 Precondition failed");
    assert_eq!(harness.audited().await, ["PASSWORD_DICTIONARY_UPDATED"; 2]);
    harness.stop().await;
}

#[tokio::test]
async fn a_bad_line_is_named_by_its_number_and_nothing_is_replaced() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    let many: String = (0..2501).map(|number| format!("word{number}\n")).collect();
    for (file, said) in [
        ("one\ntwo words\n", "line 2"),
        ("one\n\n\u{7}\n", "line 3"),
        ("one\nlocale=en_US\n", "line 2"),
        (&"x".repeat(129), "line 1"),
        (many.as_str(), "line 2501"),
        ("# nothing\n", "no word"),
        ("", "no word"),
    ] {
        let refused = put(&harness, &token, file.as_bytes().to_vec()).await.refused(400, "400.1.3 Illegal value");
        assert!(refused.contains(said), "{refused}");
    }
    let refused = put(&harness, &token, b"one\n\xff\n".to_vec()).await.refused(400, "400.1.3 Illegal value");
    assert!(refused.contains("line 2"), "{refused}");
    let most: String = (0..2500).map(|number| format!("{number:0128}\n")).collect();
    put(&harness, &token, most.into_bytes()).await.with_status(201);

    let missing = Answer::of(form(harness.ask("PUT", PATH, &token), "other", b"word\n")).await;
    missing.refused(400, "400.1.0 Required Data Missing Or Empty");
    let plain = harness.ask("PUT", PATH, &token).header("content-type", "text/plain").body("word\n");
    assert_eq!(Answer::of(plain).await.status, 415);
    let broken = harness.ask("PUT", PATH, &token).header("content-type", "multipart/form-data").body("word\n");
    Answer::of(broken).await.refused(400, "400.0 Bad Request Syntax");
    let large = put(&harness, &token, vec![b'x'; 2 << 20]).await;
    assert_eq!(large.status, 413);
    harness.stop().await;
}
