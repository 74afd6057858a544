//! [pure] Text forms: fw_setenv scripts, and the text of U-Boot's env import -t / export -t.
