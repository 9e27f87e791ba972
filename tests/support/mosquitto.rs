//! A real Mosquitto in a folder of its own.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use super::{
    free_port,
    process::{Process, find, on_path},
};

/// How the broker differs from an open one without TLS.
#[derive(Debug, Default)]
pub struct Options {
    /// User names and passwords; empty lets everybody in.
    pub users: Vec<(&'static str, &'static str)>,
    pub tls: bool,
    /// Further lines of its configuration; `{folder}` stands for its folder.
    pub lines: Vec<String>,
    /// Files of its folder, by name, that `lines` speak of.
    pub files: Vec<(&'static str, String)>,
}

/// The broker; killed when dropped.
#[derive(Debug)]
pub struct Mosquitto {
    folder: TempDir,
    port: u16,
    tls: bool,
    process: Option<Process>,
}

impl Mosquitto {
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        for (name, content) in &options.files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        write_users(folder.path(), &options.users);
        if options.tls {
            make_certificate(folder.path());
        }
        let configuration = configuration(folder.path(), port, &options);
        fs::write(folder.path().join("mosquitto.conf"), configuration).unwrap();
        let mut broker = Self { folder, port, tls: options.tls, process: None };
        broker.restart().await;
        broker
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// As the settings want it: `mqtt://…` or `mqtts://…`.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same through another port (a proxy).
    pub fn url_at(&self, port: u16) -> String {
        if self.tls {
            format!("mqtts://localhost:{port}")
        } else {
            format!("mqtt://127.0.0.1:{port}")
        }
    }

    /// The certificate to trust when TLS is on.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// SIGKILL. What its last save did not hold is gone: sessions, queues, retained messages.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM: it saves everything and ends.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.terminate();
            process.ended(Duration::from_secs(10)).await;
        }
    }

    /// Starts it again (after killing it, if it runs) on the same port and folder.
    pub async fn restart(&mut self) {
        self.kill();
        let mut command = Command::new(program());
        command.arg("-c").arg(self.folder.path().join("mosquitto.conf"));
        let mut process = Process::start(&mut command, &self.log_file());
        process.listening(self.port).await;
        self.process = Some(process);
    }

    /// Loses every session and queued message, as a broker does that comes back on a new disk.
    pub fn forget(&mut self) {
        self.kill();
        let saved = self.folder.path().join("mosquitto.db");
        if saved.exists() {
            fs::remove_file(saved).unwrap();
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

/// A plugin that comes with it, wherever the machine keeps its libraries.
pub fn plugin(name: &str) -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    find(name, folders.map(|folder| folder.join(name)))
}

fn program() -> PathBuf {
    let mut candidates = on_path("mosquitto");
    candidates.push(PathBuf::from("/usr/sbin/mosquitto"));
    find("mosquitto", candidates)
}

fn configuration(folder: &Path, port: u16, options: &Options) -> String {
    let at = folder.display();
    let mut text = format!(
        "user root\n\
         per_listener_settings false\n\
         listener {port} 127.0.0.1\n\
         persistence true\n\
         persistence_location {at}/\n\
         max_inflight_messages 1000\n\
         max_queued_messages 0\n\
         set_tcp_nodelay true\n\
         log_type all\n"
    );
    if options.users.is_empty() {
        text += "allow_anonymous true\n";
    } else {
        writeln!(text, "password_file {at}/users").unwrap();
    }
    if options.tls {
        writeln!(text, "certfile {at}/certificate.pem\nkeyfile {at}/key.pem").unwrap();
    }
    for line in &options.lines {
        writeln!(text, "{}", line.replace("{folder}", &at.to_string())).unwrap();
    }
    text
}

fn write_users(folder: &Path, users: &[(&str, &str)]) {
    if users.is_empty() {
        return;
    }
    let file = folder.join("users");
    fs::write(&file, "").unwrap();
    for (name, password) in users {
        run(Command::new("mosquitto_passwd").arg("-b").arg(&file).args([name, password]));
    }
}

/// A certificate for `localhost` that is its own authority.
fn make_certificate(folder: &Path) {
    run(Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("certificate.pem")));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot run {command:?}: {error}; run `make setup`, which installs it")
    });
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
