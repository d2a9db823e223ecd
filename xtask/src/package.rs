//! `cargo xtask package`: the `.deb`, from the release build and the files in `packaging`.
//!
//! Written by hand and built by `dpkg-deb`: the package is a binary and a dozen small files. Built twice from the same commit it
//! is the same, byte for byte: every time in it is the commit's.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::install::{Installer, Tool};
use crate::paths::Paths;
use crate::process::{Stop, run};
use crate::steps::cargo;

/// Build the Debian package into target/xtask/package.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Install nothing; say which command would
    #[arg(long)]
    no_install: bool,
}

/// Builds it.
pub(crate) fn run_command(arguments: &Arguments, paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    Installer { allowed: !arguments.no_install, paths, stop }.ensure(Tool::Packaging)?;
    let package = build(paths, stop)?;
    println!("{}", paths.shown(&package));
    Ok(ExitCode::SUCCESS)
}

/// Builds the program and the package, and gives where it is.
pub(crate) fn build(paths: &Paths, stop: &Stop) -> Result<PathBuf> {
    let log = paths.log("package");
    let mut program = cargo();
    run(
        program.args(["build", "--release", "--locked", "--package", "lockstep"]).current_dir(&paths.root),
        &log,
        stop,
    )?;
    assemble(paths, stop)
}

/// Builds the package around the program that is there.
pub(crate) fn assemble(paths: &Paths, stop: &Stop) -> Result<PathBuf> {
    let log = paths.log("package");
    let folder = paths.tools.join("package");
    let tree = folder.join("tree");
    let _absent = fs::remove_dir_all(&tree);
    let tree = Tree(tree);

    let program = tree.put("usr/bin/lockstep", &fs::read(paths.root.join("target/release/lockstep"))?, 0o755)?;
    run(Command::new("strip").arg("--strip-debug").arg(&program), &log, stop)?;
    let from = |name: &str| fs::read(paths.root.join(name)).with_context(|| format!("reading {name}"));
    for (file, source) in [
        ("etc/lockstep/lockstep.toml", "packaging/lockstep.toml"),
        ("lib/systemd/system/lockstep.service", "packaging/lockstep.service"),
        ("usr/share/doc/lockstep/copyright", "LICENSE-MIT"),
        ("usr/share/doc/lockstep/LICENSE-APACHE", "LICENSE-APACHE"),
        ("usr/share/doc/lockstep/CHANGELOG.md", "CHANGELOG.md"),
    ] {
        tree.put(file, &from(source)?, 0o644)?;
    }
    for page in fs::read_dir(paths.root.join("docs"))?.chain(fs::read_dir(paths.root.join("docs/connectors"))?) {
        let page = page?.path();
        if page.extension().is_some_and(|extension| extension == "md") {
            let name = page.strip_prefix(paths.root.join("docs"))?.display().to_string();
            tree.put(&format!("usr/share/doc/lockstep/{name}"), &fs::read(&page)?, 0o644)?;
        }
    }
    for (shell, file) in [
        ("bash", "usr/share/bash-completion/completions/lockstep"),
        ("zsh", "usr/share/zsh/vendor-completions/_lockstep"),
        ("fish", "usr/share/fish/vendor_completions.d/lockstep.fish"),
    ] {
        let script = Command::new(&program).args(["completions", shell]).output().context("running the program")?;
        if !script.status.success() {
            bail!("the program made no completions for {shell}");
        }
        tree.put(file, &script.stdout, 0o644)?;
    }

    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let version = env!("CARGO_PKG_VERSION");
    tree.put("DEBIAN/control", control(version, &architecture, &needed_libc(&fs::read(&program)?)?).as_bytes(), 0o644)?;
    tree.put("DEBIAN/conffiles", b"/etc/lockstep/lockstep.toml\n", 0o644)?;
    for script in ["postinst", "prerm", "postrm"] {
        tree.put(&format!("DEBIAN/{script}"), &from(&format!("packaging/debian/{script}"))?, 0o755)?;
    }

    let at = output(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(&paths.root))?;
    let package = folder.join(format!("lockstep_{version}_{architecture}.deb"));
    let mut command = Command::new("dpkg-deb");
    command.args(["--root-owner-group", "--build"]).arg(&tree.0).arg(&package).env("SOURCE_DATE_EPOCH", at);
    run(&mut command, &log, stop)?;
    Ok(package)
}

/// The files of the package, as they will lie.
struct Tree(PathBuf);

impl Tree {
    /// Whatever the umask of whoever builds it is.
    fn put(&self, name: &str, content: &[u8], mode: u32) -> Result<PathBuf> {
        let path = self.0.join(name);
        let folder = path.parent().context("a file is in a folder")?;
        fs::create_dir_all(folder)?;
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(&self.0)) {
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        }
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        Ok(path)
    }
}

fn control(version: &str, architecture: &str, libc: &str) -> String {
    format!(
        "Package: lockstep\nVersion: {version}\nArchitecture: {architecture}\nSection: admin\nPriority: optional\n\
         Maintainer: Lockstep contributors\nHomepage: https://github.com/lockstep-pm/lockstep\n\
         Depends: adduser, init-system-helpers, libc6 (>= {libc}), libgcc-s1\nRecommends: ca-certificates\n\
         Description: self-hosted password-management server\n \
         People's programs ask it to change a password; it carries the change to every\n \
         system that shares the password, keeps trying until each has it, and says of\n \
         every account what became of it.\n"
    )
}

/// The newest version of the C library that the program asks for a symbol of: the names stand in it as text.
fn needed_libc(program: &[u8]) -> Result<String> {
    const NAME: &[u8] = b"GLIBC_2.";
    let mut newest = None;
    for place in program.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME).map(|(place, _)| place) {
        let digits: Vec<u8> =
            program[place + NAME.len()..].iter().copied().take_while(u8::is_ascii_digit).take(3).collect();
        let minor: Option<u32> = String::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        newest = newest.max(minor);
    }
    Ok(format!("2.{}", newest.context("the program asks for no C library")?))
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("running {}", Path::new(command.get_program()).display()))?;
    if !output.status.success() {
        bail!("{} ended with {}", Path::new(command.get_program()).display(), output.status);
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{control, needed_libc};

    #[test]
    fn the_newest_symbol_says_which_c_library_is_needed() {
        let program = b"\0GLIBC_2.4\0GLIBC_2.34\0memcpy@GLIBC_2.14\0GLIBC_2.2.5\0GLIBC_PRIVATE\0GLIBC_2.\0";
        assert_eq!(needed_libc(program).unwrap(), "2.34");
        assert!(needed_libc(b"nothing").is_err());
    }

    #[test]
    fn the_description_is_indented_as_control_files_want_it() {
        let control = control("1.2.3", "amd64", "2.34");
        let (_, description) = control.split_once("Description: ").unwrap();
        assert!(description.lines().skip(1).all(|line| line.starts_with(' ')), "{control}");
        assert!(control.ends_with('\n') && !control.contains("\n\n"), "{control}");
    }
}
