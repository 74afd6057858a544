//! [pure] fw_env.config, the format of U-Boot's tools.
