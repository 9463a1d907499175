//! Ranks passages for a query with the C library, as from Tauri:
//!
//!     rustc -L out -C link-arg=-Wl,-rpath,out native/example/rank.rs
//!     ./rank FOLDER "list files by size" "ls -S sorts by size." "rm removes files."
//!
//! Prints a line a passage, in the same order: the score, a logit; more is better.
use std::ffi::{c_char, c_int, CStr, CString};
use std::process::ExitCode;

const API_VERSION: u32 = 1; // EDGE_RERANK_API_VERSION of the header this was written by

#[link(name = "edge_rerank")]
extern "C" {
    fn edge_rerank_api_version() -> u32;
    fn edge_rerank_last_error() -> *const c_char;
    fn edge_rerank_rank(
        folder: *const c_char,
        query: *const c_char,
        texts: *const *const c_char,
        count: usize,
        scores: *mut f32,
    ) -> c_int;
}

/// Scores `texts` for `query` with the model in `folder`, which is opened and closed.
fn rank(folder: &str, query: &str, texts: &[String]) -> Result<Vec<f32>, String> {
    let text = |given: &str| CString::new(given).map_err(|error| error.to_string());
    let (folder, query) = (text(folder)?, text(query)?);
    let owned: Vec<CString> = texts.iter().map(|one| text(one)).collect::<Result<_, _>>()?;
    let pointers: Vec<*const c_char> = owned.iter().map(|one| one.as_ptr()).collect();
    let mut scores = vec![0.0; texts.len()];
    // The library reads the strings during the call alone, and writes one score for each text.
    let status = unsafe {
        edge_rerank_rank(
            folder.as_ptr(),
            query.as_ptr(),
            pointers.as_ptr(),
            pointers.len(),
            scores.as_mut_ptr(),
        )
    };
    if status == 0 {
        return Ok(scores);
    }
    let said = unsafe { CStr::from_ptr(edge_rerank_last_error()) };
    Err(said.to_string_lossy().into_owned())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = if words.len() < 3 {
        Err("usage: rank FOLDER QUERY PASSAGE ...".to_string())
    } else if unsafe { edge_rerank_api_version() } != API_VERSION {
        Err("the library is of another version than the header".to_string())
    } else {
        rank(&words[0], &words[1], &words[2..])
    };
    match done {
        Ok(scores) => scores.iter().for_each(|score| println!("{score}")),
        Err(reason) => {
            eprintln!("rank: {reason}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
