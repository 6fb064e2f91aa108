# gvm's hook for fish 3.3 and later: gvm hook fish | source
#
# Before each prompt and on each change of directory, builtins alone compare what
# decides about the version with what it was the last time. Only when it differs is a
# program asked what changes, once, and what it prints on stdout evaluated. `gvm use`
# works likewise.
#
# What each prompt runs through has no command substitutions: for builtins they
# start no process, but threads, and cost more than all the rest.

set -g __gvm_exe __GVM_EXE__
set -g __gvm_refresher __GVM_REFRESHER__ # tells what changes; the quick one of the two
set -g __gvm_root __GVM_ROOT__
set -g __gvm_shims __GVM_SHIMS__
set -g __gvm_hinted '' # set by evaluated text: the hints that this shell has seen
set -g __gvm_key '' # what decided at the last refresh
set -g __gvm_now '' # what decides now
set -g __gvm_pwd '' # the directory that the next six lists were made for
set -g __gvm_pins # where a pin can be, nearest first,
set -g __gvm_works # a go.work
set -g __gvm_mods # and a go.mod,
set -g __gvm_pin_ways # and the same as the shell gets there
set -g __gvm_work_ways
set -g __gvm_mod_ways
set -g __gvm_path '' # PATH when it was last looked at
set -g __gvm_shadow '' # what kept the shims from being found in that PATH
set -g __gvm_absent # the files that the last look did not find,
set -g __gvm_present # those that it found, with their texts
set -g __gvm_texts ''
set -g __gvm_reads # and the code that reads them again,
set -g __gvm_seen '' # and has these texts then
set -g __gvm_state '' # variables and texts that __gvm_unchanged was made for

# Whether any of the given files exists: one builtin for all of them where there
# is one, from fish 3.5. And whether any of them could block or fail a reader.
if contains path (builtin --names)
    set -g __gvm_any path is
    set -g __gvm_any_odd path is --invert --type file --perm read
else
    set -g __gvm_any __gvm_any_exists
    function __gvm_any_exists
        for file in $argv
            test -e $file; and return 0
        end
        return 1
    end
    set -g __gvm_any_odd __gvm_any_is_odd
    function __gvm_any_is_odd
        for file in $argv
            test -f $file -a -r $file; or return 0
        end
        return 1
    end
end

# Succeeds where nothing has changed since the last look. __gvm_watch makes it anew:
# a few builtins without a loop, in a third of the time of a look.
function __gvm_unchanged
    return 1
end

# Sets the lists of where files can be, nearest first, and the ways that the shell
# gets there. Relative ways are quick, but `..` is the directory above only up to the
# first symbolic link.
function __gvm_climb
    set -g __gvm_pwd $PWD
    set -l dir $PWD/
    set -l dirs $dir
    set -l ways ./
    while string match -rq '(?s)^(?<self>(?<above>.*/)[^/]+)/$' -- $dir
        if string match -q './*' -- $ways[-1]; and not test -L $self
            set -a ways $ways[-1]../
        else
            set -a ways $above
        end
        set -a dirs $above
        set dir $above
    end
    set -g __gvm_pins {$dirs}{.tool-versions,.go-version}
    set -g __gvm_works {$dirs}go.work
    set -g __gvm_mods {$dirs}go.mod
    set -g __gvm_pin_ways {$ways}{.tool-versions,.go-version}
    set -g __gvm_work_ways {$ways}go.work
    set -g __gvm_mod_ways {$ways}go.mod
end

# Sets __gvm_now to everything that decides about the version here, and gathers what
# __gvm_watch needs.
function __gvm_look
    test "$PWD" = "$__gvm_pwd"; or __gvm_climb
    set -g __gvm_absent
    set -g __gvm_present
    set -g __gvm_texts ''
    set -g __gvm_reads
    set -g __gvm_seen ''

    set -g __gvm_now "$GVM_VERSION"\n"$GOWORK"\n"$GO111MODULE"\n
    __gvm_add $__gvm_root/generation $__gvm_root/generation
    test -z "$GVM_VERSION"; or return 0

    if $__gvm_any $__gvm_pin_ways
        set -l ways $__gvm_pin_ways
        for file in $__gvm_pins
            __gvm_add $file $ways[1]
            and string match -q '*/.go-version' -- $file
            and return 0
            set -e ways[1]
        end
    else
        set -a __gvm_absent $__gvm_pin_ways
    end
    if $__gvm_any $__gvm_work_ways
        __gvm_add_module $__gvm_works $__gvm_work_ways
    else
        set -a __gvm_absent $__gvm_work_ways
    end
    if $__gvm_any $__gvm_mod_ways
        __gvm_add_module $__gvm_mods $__gvm_mod_ways
    else
        set -a __gvm_absent $__gvm_mod_ways
    end
    return 0
end

# Reads a file into __gvm_text, and says whether it is there. What is there and could
# block a reader counts as absent, so that it is looked at anew each time.
function __gvm_read --argument-names way
    set -g __gvm_text ''
    if test -f $way -a -r $way
        read -gz __gvm_text <$way
        set -a __gvm_present $way
        set -g __gvm_texts "$__gvm_texts:$__gvm_text"
        set -l at (count $__gvm_present)
        set -a __gvm_reads "read -z __gvm_text_$at <\$__gvm_present[$at]"
        set -g __gvm_seen "$__gvm_seen:\$__gvm_text_$at"
        return 0
    end
    set -a __gvm_absent $way
    test -e $way
    and set -g __gvm_text '(unreadable)'
end

# Adds a file and the way to it to what decides, if it is there: its text, or a mark
# where reading could block.
function __gvm_add --argument-names file way
    __gvm_read $way
    and set -g __gvm_now "$__gvm_now$file"\n"$__gvm_text"\n
end

# Adds the go and toolchain lines of the first module file that is there; behind the
# files are the ways to them. They stand at the top; the rest changes often and
# decides nothing.
function __gvm_add_module
    set -l ways $argv[(math (count $argv) / 2 + 1)..]
    for file in $argv
        set -l way $ways[1]
        set -e ways[1]
        if not test -f $way
            # A directory of that name is passed over.
            test -e $way; or set -a __gvm_absent $way
            continue
        end
        __gvm_read $way
        set -l lines
        for line in (string split -m 60 \n -- $__gvm_text)[1..60]
            string match -q 'require*' -- $line; and break
            string match -rq '^(go|toolchain)\s' -- $line; and set -a lines $line
        end
        set -g __gvm_now "$__gvm_now$file"\n"$lines"\n
        return 0
    end
end

# Makes __gvm_unchanged of what the last look gathered. The code holds no text of the
# user's.
function __gvm_watch
    set -g __gvm_state "$PWD:$PATH:$GVM_VERSION:$GOWORK:$GO111MODULE$__gvm_texts"
    set -l reads (string join '; ' -- $__gvm_reads)
    eval "function __gvm_unchanged
        $__gvm_any \$__gvm_absent
        and return 1
        $__gvm_any_odd \$__gvm_present
        and return 1
        $reads
        test \"\$PWD:\$PATH:\$GVM_VERSION:\$GOWORK:\$GO111MODULE$__gvm_seen\" = \"\$__gvm_state\"
    end"
end

# Remembers PATH, and sets __gvm_shadow to the go that is found
# before the shims, or to the shims where PATH has lost them, or to nothing.
function __gvm_look_at_path
    set -g __gvm_path "$PATH"
    set -g __gvm_shadow $__gvm_shims
    for dir in $PATH
        if test "$dir" = $__gvm_shims -o "$dir" = $__gvm_shims/
            set -g __gvm_shadow ''
            return 0
        end
        test -n "$dir"; or set dir . # an empty entry is the current directory
        if test -f $dir/go -a -x $dir/go
            set -g __gvm_shadow $dir/go
            return 0
        end
    end
end

# Takes what decides now as known.
function __gvm_settle
    __gvm_look
    set -g __gvm_key $__gvm_now
    __gvm_look_at_path
    __gvm_watch
end

# fish gives the status back that a command had before the event.
function __gvm_refresh --on-variable PWD --on-event fish_prompt
    __gvm_unchanged; and return 0
    __gvm_look
    if test "$PATH" != "$__gvm_path"
        # The user's PATH is the user's, but gvm has to know when its shims have
        # just lost their place in it, or got it back. No key is ever empty.
        set -l before $__gvm_shadow
        __gvm_look_at_path
        test "$__gvm_shadow" = "$before"; or set -g __gvm_key ''
    end
    if test "$__gvm_now" != "$__gvm_key"
        # Stored first, so that a failure is reported once and not at each prompt.
        set -g __gvm_key $__gvm_now
        set -l arguments hook fish --refresh --hinted "$__gvm_hinted"
        set -l text ($__gvm_refresher $arguments </dev/null)
        set -l code $status
        if test $code -gt 125 # it has no answer
            set text ($__gvm_exe $arguments </dev/null)
            set code $status
        end
        test $code -eq 0; and string join \n -- $text | source
        __gvm_look_at_path
    end
    __gvm_watch
end

function __gvm_use
    set -l text ($__gvm_exe use --eval fish $argv)
    or return
    string join \n -- $text | source
    # Unsetting what is not set is a failure to fish, and none here.
    __gvm_settle
    return 0
end

function gvm --description 'Manage versions of Go'
    if test "$argv[1]" = use
        __gvm_use $argv[2..]
    else if test "$argv[1]" = doctor
        GVM_HOOK=__GVM_MARK__ $__gvm_exe $argv
    else
        $__gvm_exe $argv
    end
end

# __GVM_ACTIVATION__

# The rest of __gvm_settle waits for the first prompt.
__gvm_look
set -g __gvm_key $__gvm_now
