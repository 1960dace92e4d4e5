//! Publish, find and pull appliances: resumes, verifies, places atomically.
