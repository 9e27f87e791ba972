//! `waystation command`, as a person uses it.

use std::process::{Command, Output};

use crate::{
    house::{door, hears, reply, straight},
    support::daemon::Daemon,
};

async fn waystation(daemon: &Daemon, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waystation"));
    command.args(["command", "d/s/door-1"]).args(words).args(["--by", "Li", "--config"]);
    command.arg(daemon.config_dir());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_command_can_be_asked_for_and_waited_for() {
    let daemon = straight().await;
    let mut door = door(&daemon.mqtt()).await;
    let answers = async {
        let told = hears(&mut door).await;
        assert_eq!(told["args"]["for_s"], 5);
        reply(&mut door, told["id"].as_str().unwrap(), "done").await;
    };
    let (output, ()) = tokio::join!(waystation(&daemon, &["unlock", "for_s=5", "--wait"]), answers);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains(" is waiting\n") && said.trim_end().ends_with(" is done"), "{said}");
}

#[tokio::test]
async fn what_does_not_come_of_it_is_a_failure() {
    let daemon = straight().await;
    let output = waystation(&daemon, &["unlock", "for_s=5", "--expires", "1s", "--wait"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(" is expired"), "{output:?}");
    let output = waystation(&daemon, &["fly"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("no operation is called \"fly\"") && said.contains("unlock"), "{said}");
}
