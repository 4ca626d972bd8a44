//! What an operator writes after `--store`, right and wrong.

use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use vipfleet_server::store;

async fn refused(spec: &str, directory: &TempDir) -> String {
    store::open(spec, directory.path()).await.expect_err("an error").to_string()
}

#[tokio::test]
async fn the_embedded_store_is_made_in_the_data_directory() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let opened = store::open("embedded", &data).await.unwrap();
    let file = data.join("store.redb");
    assert_eq!(opened.describe(), format!("embedded:{}", file.display()));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_relative_path_is_relative_to_the_data_directory() {
    let directory = TempDir::new().unwrap();
    drop(store::open("embedded:fleet.redb", directory.path()).await.unwrap());
    assert!(directory.path().join("fleet.redb").exists());
    let absolute = directory.path().join("other/fleet.redb");
    drop(store::open(&format!("embedded:{}", absolute.display()), "/".as_ref()).await.unwrap());
    assert!(absolute.exists());
}

#[tokio::test]
async fn a_second_server_on_one_file_is_told_so() {
    let directory = TempDir::new().unwrap();
    let first = store::open("embedded", directory.path()).await.unwrap();
    let second = refused("embedded", &directory).await;
    assert!(second.contains("store.redb is in use by another vipfleet-server"), "{second}");
    drop(first);
    drop(store::open("embedded", directory.path()).await.unwrap());
}

#[tokio::test]
async fn a_file_that_is_no_store_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("store.redb");
    let text = "kind: Instance\n".repeat(1000);
    std::fs::write(&file, &text).unwrap();
    let error = refused("embedded", &directory).await;
    assert!(error.contains("cannot be opened as a store"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let error = refused("embedded:file/store.redb", &directory).await;
    assert!(error.contains("cannot create") && error.contains("file/store.redb"), "{error}");
}

#[tokio::test]
async fn a_spec_that_names_no_store_is_refused_with_the_forms_there_are() {
    let directory = TempDir::new().unwrap();
    for spec in ["", "redis:x", "/var/lib/store.redb", "ETCD:http://127.0.0.1:2379"] {
        let error = refused(spec, &directory).await;
        assert!(error.contains(&format!("{spec:?} names no store")), "{error}");
        assert!(error.contains("embedded:PATH"), "{error}");
    }
}

#[cfg(feature = "etcd")]
#[tokio::test]
async fn an_endpoint_that_cannot_be_is_refused_and_named() {
    let directory = TempDir::new().unwrap();
    for (spec, endpoint) in [
        ("etcd:", ""),
        ("etcd:http://10.0.0.1:2379,", ""),
        ("etcd:10.0.0.1:2379", "10.0.0.1:2379"),
        ("etcd:ftp://10.0.0.1:2379", "ftp://10.0.0.1:2379"),
        ("etcd:http://10.0.0.1:2379,http://", "http://"),
        ("etcd:http://10.0.0.1", "http://10.0.0.1"),
        ("etcd:http://10.0.0.1:2379/path", "http://10.0.0.1:2379/path"),
        ("etcd:https://10.0.0.1:2379", "https://10.0.0.1:2379"),
    ] {
        let error = refused(spec, &directory).await;
        assert!(error.contains(&format!("{endpoint:?} in {spec:?}")), "{error}");
        assert!(error.contains("http://HOST:PORT"), "{error}");
    }
}

#[cfg(feature = "etcd")]
#[tokio::test]
async fn an_etcd_that_does_not_answer_is_named() {
    let directory = TempDir::new().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = refused(&format!("etcd:http://{closed}"), &directory).await;
    assert!(error.contains(&format!("did not answer at http://{closed}")), "{error}");
}

#[cfg(not(feature = "etcd"))]
#[tokio::test]
async fn without_the_feature_an_etcd_spec_says_how_to_get_it() {
    let directory = TempDir::new().unwrap();
    let error = refused("etcd:http://127.0.0.1:2379", &directory).await;
    assert!(error.contains("built with the feature etcd"), "{error}");
}
