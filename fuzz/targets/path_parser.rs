//! No spelling of a path leaves the tree, and each route has one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stratus_model::{AppliancePath, TreePath};
use stratus_repository_api::route::{Route, versionless};

fn inside(path: &str) {
    for segment in path.split('/').filter(|s| !s.is_empty()) {
        assert!(!segment.starts_with('.') && segment.is_ascii() && !segment.contains(['\\', '%', '\0']));
    }
}

fuzz_target!(|text: &str| {
    if let Ok(path) = TreePath::parse(text) {
        inside(path.as_str());
        if let Ok((appliance, kind)) = AppliancePath::of_file(&path) {
            inside(appliance.file(kind).as_str());
        }
    }
    if let Ok(route) = Route::parse(text) {
        let written = route.to_path();
        assert_eq!(Route::parse(&written), Ok(route.clone()), "{text:?} -> {written:?}");
        if let Route::File { appliance, .. } = &route {
            inside(appliance.as_str());
            if let Some(other) = versionless(appliance) {
                inside(other.as_str());
            }
        }
    }
});
