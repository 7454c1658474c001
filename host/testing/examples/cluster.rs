//! `make cluster`: starts a Kubernetes with a fake node, prints its KUBECONFIG, and waits for
//! Ctrl-C.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a person"
)]

use bulkhead_testing::cluster::{Cluster, Options};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    eprintln!("starting etcd, kube-apiserver, kube-controller-manager and kwok");
    let options = Options {
        controller_manager: true,
        nodes: true,
        audit: false,
    };
    let cluster = Cluster::start_with(options).await?;
    eprintln!(
        "logs in {}; Ctrl-C ends everything",
        cluster.dir().display()
    );
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
