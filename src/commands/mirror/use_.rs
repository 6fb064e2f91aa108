use super::{go, test};
use crate::commands::{Gvm, complete};
use crate::config::{self, SourceName};
use crate::error::{Code, Error, Result};
use crate::source::measure;
use crate::source::mirrors::{self, Layout, OFFICIAL, Place, Source};
use clap_complete::ArgValueCompleter;

/// Have a place asked first; official undoes it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm mirror use ustc
  gvm mirror use goproxy.cn --go
  gvm mirror use https://mirror.example/golang         its layout is found out
  gvm mirror use flat+https://mirror.example/golang    it is said
  gvm mirror use official

It is stored as `mirror` in config.toml; the sources there stay behind it. --go
runs `go env -w` and remembers what was there before; official puts that back,
where nobody has changed it since.")]
pub struct Args {
    /// A mirror's name, a URL, or layout and URL: flat+URL, dl+URL, proxy+URL
    #[arg(value_name = "NAME|URL", add = ArgValueCompleter::new(complete::mirrors_to_use))]
    place: String,

    /// Also set GOPROXY and GOSUMDB for the go command
    #[arg(long)]
    go: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    // Settings that cannot be read are not written either.
    gvm.config()?;
    if matches!(args.place.as_str(), OFFICIAL | "go.dev") {
        let was_stored = config::store_mirror(gvm.store.layout(), None)?;
        tell_order(gvm)?;
        let was_set = go::undo(gvm)?;
        if !was_stored && !was_set {
            gvm.ui.say("there was nothing to undo");
        }
        return Ok(());
    }
    let wrong = |why| Error::new(Code::Usage, why).hint(mirrors::accepted());
    let (place, stored) = if test::is_bare_url(&args.place) {
        gvm.online()?;
        let layout = measure::layout_of(&args.place, &gvm.store)?;
        let place = mirrors::at(layout, &args.place).map_err(wrong)?;
        let stored = match place.run_by {
            Some(_) => place.name.clone(),
            None => format!("{}+{}", layout.prefix(), place.url),
        };
        gvm.ui.say(format_args!("its layout is that of {}", described(layout)));
        (place, stored)
    } else {
        (mirrors::place(&args.place).map_err(wrong)?, args.place.clone())
    };
    if place.layout == Layout::Checksums {
        let message = format!("{} is a checksum database, and has no toolchains", place.name);
        let hint = match place.url.strip_prefix("https://") {
            Some(name) if place.run_by.is_some() => {
                format!("to have it asked: go env -w GOSUMDB={name}")
            }
            _ => mirrors::accepted(),
        };
        return Err(Error::new(Code::Usage, message).hint(hint));
    }
    let go = if args.go { Some(go::Go::find(gvm)?) } else { None };
    config::store_mirror(gvm.store.layout(), Some(&stored))?;
    tell_order(gvm)?;
    match go {
        Some(go) => go::set(gvm, go, &place),
        None => {
            tell_go(gvm, &place);
            Ok(())
        }
    }
}

fn described(layout: Layout) -> &'static str {
    match layout {
        Layout::GoDev => "go.dev: an index and archives",
        Layout::Flat => "a flat mirror: archives and no index",
        Layout::Proxy => "a module proxy",
        Layout::Checksums => "a checksum database",
    }
}

/// Who is asked now, in order.
fn tell_order(gvm: &Gvm) -> Result<()> {
    let config = gvm.config()?;
    let names = mirrors::configured(&config)?.into_iter().map(|source| match source {
        Source::GoProxy => "what GOPROXY names".into(),
        Source::Place(Place { name, .. }) if name == OFFICIAL => "go.dev".into(),
        Source::Place(place) => place.name,
    });
    let names: Vec<String> = names.collect();
    gvm.ui.say(format_args!("Go comes from {}", names.join(", then ")));
    if config.mirror.is_none()
        && let Some(SourceName { text, origin, .. }) = config.sources.first()
        && !matches!(text.as_str(), "go.dev" | OFFICIAL | "proxy")
    {
        gvm.ui.say(format_args!("{origin} names {} first", crate::source::http::shown(text)));
    }
    Ok(())
}

/// The go command keeps the mirror that it was given.
fn tell_go(gvm: &Gvm, place: &Place) {
    let mirror = go::mirror_of(gvm).unwrap_or_else(|error| {
        gvm.ui.warn(error);
        None
    });
    if let Some(mirror) = mirror.filter(|mirror| *mirror != place.name) {
        gvm.ui.say(format_args!(
            "the go command still has the settings of {mirror}; to change them too: add --go"
        ));
    }
}
