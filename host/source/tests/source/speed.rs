//! Figures, not judgements: `cargo test -p bulkhead-source --release -- --ignored --nocapture`.
#![allow(clippy::print_stdout, reason = "prints figures")]

use std::time::Instant;

use bulkhead_source::write_archive;
use bulkhead_testing::git::{HttpServer, Repository};

use super::{home, new, request, text};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures"]
async fn figures() {
    let repository = Repository::new().unwrap();
    for file in 0..1000 {
        let content =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{file}\n").repeat(20);
        repository
            .write(&format!("apps/{}/{file}.yaml", file % 50), content)
            .unwrap();
    }
    repository.commit("first").unwrap();
    let server = HttpServer::start(&repository).await.unwrap();
    for url in [server.url(), &repository.url()] {
        let (home, request) = (home(), request(url));
        let start = Instant::now();
        let first = new(&home, &request).await;
        println!("{url}: first fetch {:?}", start.elapsed());
        let start = Instant::now();
        assert!(home.is_unchanged(&request, &first.revision).await);
        println!("unchanged {:?}", start.elapsed());
        repository.write("apps/1/1.yaml", url).unwrap();
        repository.commit("next").unwrap();
        let start = Instant::now();
        let second = new(&home, &request).await;
        println!("incremental fetch {:?}", start.elapsed());
        let start = Instant::now();
        for file in 0..1000 {
            text(&second, &format!("apps/{}/{file}.yaml", file % 50));
        }
        println!("1000 reads {:?}", start.elapsed());
        let start = Instant::now();
        let archive = write_archive(&second.tree, std::io::sink()).unwrap();
        println!(
            "archive of {} bytes {:?}",
            archive.size_bytes,
            start.elapsed()
        );
    }
}
