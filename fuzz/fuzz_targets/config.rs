//! What must be true of every parsed configuration, whatever its syntax.

use bootslot::config::Config;
use bootslot::Error;

pub fn judge(text: &[u8], result: Result<Config, Error>) {
    match result {
        Ok(config) => {
            assert!(!config.environments.is_empty());
            for environment in &config.environments {
                assert!(matches!(environment.devices.len(), 1 | 2));
                environment.validate().expect("a parsed configuration is a valid one");
                let sizes: Vec<u64> = environment.devices.iter().map(|device| device.size).collect();
                assert!(sizes.iter().all(|&size| size == sizes[0] && size > 5), "{sizes:?}");
            }
        }
        Err(Error::Config { line, column, message, .. }) => {
            let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
            assert!(line >= 1 && line <= lines.len(), "line {line} of {}: {message}", lines.len());
            assert!(column >= 1, "{message}");
            assert!(column <= lines[line - 1].len() + 1, "{line}:{column}: {message}");
        }
        Err(other) => panic!("not an error of the configuration: {other}"),
    }
}
