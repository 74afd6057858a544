//! Programs of the board: they take the place of this process, whose time limit and output are theirs then.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The command of these words, for a process of its own.
pub(super) fn direct(words: &[String]) -> Option<Command> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments);
    Some(command)
}

/// The same of a file; `None` where it can't be run without a shell.
pub(super) fn direct_file(path: &Path) -> Option<Command> {
    let meta = fs::metadata(path).ok()?;
    (meta.permissions().mode() & 0o111 != 0).then(|| Command::new(path))
}

/// Runs a program with its arguments. It returns, with the reason, only if that can't be done.
pub(super) fn command(words: &[String]) -> String {
    let Some(mut command) = direct(words) else { return "there is no command".into() };
    let error = command.exec();
    format!("{} can't be run: {error}", Path::new(command.get_program()).display())
}

/// Runs a file. A script without the right to be run is given to bash, as greenboot does, or to sh.
pub(super) fn file(path: &Path) -> String {
    let mut error = Command::new(path).exec();
    let is_script = path.extension().is_some_and(|ending| ending == "sh");
    if error.kind() == ErrorKind::PermissionDenied && is_script {
        for shell in ["bash", "sh"] {
            error = Command::new(shell).arg(path).exec();
            if error.kind() != ErrorKind::NotFound {
                break;
            }
        }
    }
    format!("{} can't be run: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_run_is_said() {
        let error = command(&["/does/not/exist".into(), "x".into()]);
        assert!(error.starts_with("/does/not/exist can't be run: No such file"), "{error}");
        assert_eq!(command(&[]), "there is no command");
        let file_error = file(Path::new("/dev/null"));
        assert!(file_error.starts_with("/dev/null can't be run: Permission denied"), "{file_error}");
    }
}
