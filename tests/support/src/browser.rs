//! Headless Chromium, driven by the W3C WebDriver protocol.

use crate::programs::{tool, tools};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How WebDriver names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What keeps the browser to itself: no sandbox where the tests are root, no traffic of its own.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--window-size=1280,900",
];

/// A browser with one window; closed when dropped.
pub struct Browser {
    driver: Child,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts one with a fresh profile, which takes certificates as they are.
    ///
    /// # Panics
    /// It does not start.
    pub fn start() -> Self {
        let chromium = tool("chromium", "chromium");
        let profile = TempDir::new().expect("a temporary folder");
        let mut driver = tool("chromedriver", "chromium-driver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut lines = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let address = format!("http://127.0.0.1:{}", port.expect("chromedriver tells its port"));
        std::thread::spawn(move || lines.for_each(drop));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let folder = format!("--user-data-dir={}", profile.path().display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([folder.as_str()]).collect();
        let options = json!({ "binary": chromium.get_program().to_str(), "args": arguments });
        let wanted = json!({
            "acceptInsecureCerts": true,
            "goog:chromeOptions": options,
            // Milliseconds; a check of a large page takes long beside busy neighbours.
            "timeouts": { "script": 180_000 },
        });
        let mut browser = Self {
            driver,
            runtime,
            http,
            session: address.clone() + "/session",
            _profile: profile,
        };
        let made = browser.call("", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        let id = made["sessionId"].as_str().expect("a session");
        browser.session = format!("{address}/session/{id}");
        browser
    }

    fn call(&self, command: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{command}", self.session)).json(body);
        let answer = self.runtime.block_on(async {
            request.send().await.expect("chromedriver answers").json::<Value>().await
        });
        let value = answer.expect("chromedriver speaks JSON")["value"].take();
        assert!(value["error"].is_null(), "{command}: {}", value["message"]);
        value
    }

    /// Goes to an address and waits until it is loaded.
    pub fn goto(&self, url: &str) {
        self.call("/url", &json!({ "url": url }));
    }

    /// What a script returns; a promise is awaited.
    pub fn script(&self, script: &str) -> Value {
        self.call("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The address shown.
    pub fn url(&self) -> String {
        self.script("return location.href").as_str().unwrap_or_default().to_owned()
    }

    /// The page's text as people see it.
    pub fn text(&self) -> String {
        self.script("return document.body?.innerText").as_str().unwrap_or_default().to_owned()
    }

    fn element(&self, css: &str) -> String {
        let found = self.call("/element", &json!({ "using": "css selector", "value": css }));
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// Types into a field, or chooses a file for it.
    pub fn fill(&self, css: &str, text: &str) {
        let element = self.element(css);
        self.call(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Clicks.
    pub fn click(&self, css: &str) {
        let element = self.element(css);
        self.call(&format!("/element/{element}/click"), &json!({}));
    }

    /// Presses keys, wherever the focus is.
    pub fn press(&self, keys: &[&str]) {
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|k| {
                [json!({"type": "keyDown", "value": k}), json!({"type": "keyUp", "value": k})]
            })
            .collect();
        let action = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.call("/actions", &json!({ "actions": [action] }));
    }

    /// Waits until the page shows a text.
    ///
    /// # Panics
    /// It does not within half a minute; with what it shows instead.
    pub fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        while !self.text().contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(30), "no `{text}` in:\n{}", self.text());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.call("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// How wide the window is, in CSS pixels.
    pub fn width(&self, pixels: u32) {
        self.size(pixels, 900);
    }

    /// How wide and high the window is, in CSS pixels.
    pub fn size(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Whether people prefer dark pages.
    pub fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let feature = json!({ "name": "prefers-color-scheme", "value": value });
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// Writes a picture of the whole page.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn picture(&self, file: &Path) {
        self.capture(file, true);
    }

    /// Writes a picture of what the window shows.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn view(&self, file: &Path) {
        self.capture(file, false);
    }

    fn capture(&self, file: &Path, beyond: bool) {
        let all = json!({ "format": "png", "captureBeyondViewport": beyond });
        let taken = self.devtools("Page.captureScreenshot", &all);
        let data = taken["data"].as_str().expect("a picture");
        std::fs::write(file, decode(data)).expect("the picture is written");
    }

    /// Checks the page as people with different eyes and screens meet it: by axe-core, light, dark and
    /// 320 pixels wide, where it may not scroll sideways. A picture of each is kept beside the build.
    ///
    /// # Panics
    /// It is not for everybody; with what is wrong.
    pub fn check(&self, name: &str) {
        let pictures = tools().with_file_name("tmp").join("pages");
        std::fs::create_dir_all(&pictures).expect("a folder for pictures");
        for (look, dark, width) in
            [("light", false, 1280), ("dark", true, 1280), ("narrow", false, 320)]
        {
            self.width(width);
            self.dark(dark);
            self.picture(&pictures.join(format!("{name}-{look}.png")));
            let faults = self.faults();
            assert!(faults.is_empty(), "{name}, {look}:\n{}", faults.join("\n"));
            let sideways = self.script(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth",
            );
            assert_eq!(sideways, 0, "{name}, {look} scrolls sideways");
        }
        self.width(1280);
        self.dark(false);
    }

    /// What axe-core finds against WCAG 2.2 AA on the page: nothing, or a sentence for each fault.
    fn faults(&self) -> Vec<String> {
        let axe = std::fs::read_to_string(tools().join("axe.min.js"))
            .expect("axe-core is installed; `cargo xtask setup` does that");
        let rules = r#"{ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }"#;
        let found = self.script(&format!(
            "{axe}; return axe.run(document, {rules}).then(r => r.violations.map(v => \
             v.id + ': ' + v.help + ' — ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | ')))"
        ));
        let found = found.as_array().expect("a list of faults").iter();
        found.map(|fault| fault.as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser as well; the driver alone would leave it.
        let end = self.http.delete(&self.session).send();
        let _ = self.runtime.block_on(end);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn decode(base64: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.decode(base64).expect("base64")
}
