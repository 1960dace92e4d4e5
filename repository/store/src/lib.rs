//! Where appliances live: stage, verify, publish, find, scrub; on a disk or in a bucket.
