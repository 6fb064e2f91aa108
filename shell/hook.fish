# gvm's hook for fish 3.3 and later: gvm hook fish | source
#
# Before each prompt and on each change of directory, builtins alone compare what
# decides about the version with what it was the last time. Only when it differs
# is `gvm hook fish --refresh` run, once, and what it prints on stdout evaluated.
# `gvm use` works likewise.
#
# What each prompt runs through has no command substitutions: for builtins they
# start no process, but threads, and cost more than all the rest.

set -g __gvm_exe __GVM_EXE__
set -g __gvm_root __GVM_ROOT__
set -g __gvm_shims __GVM_SHIMS__
set -g __gvm_hinted '' # set by evaluated text: the hints that this shell has seen
set -g __gvm_key '' # what decided at the last refresh
set -g __gvm_now '' # what decides now
set -g __gvm_pwd '' # the directory that the next three lists were made for
set -g __gvm_pins # where a pin can be, nearest first
set -g __gvm_works # where a go.work can be
set -g __gvm_mods # where a go.mod can be
set -g __gvm_module_text '' # what the last module file began with,
set -g __gvm_module_lines # and its lines that decide
set -g __gvm_path '' # PATH when it was last looked at
set -g __gvm_shadow '' # what kept the shims from being found in that PATH

# Whether any of the given files exists: one builtin for all of them where there
# is one, from fish 3.5.
if contains path (builtin --names)
    set -g __gvm_any path is
else
    set -g __gvm_any __gvm_any_exists
    function __gvm_any_exists
        for file in $argv
            test -e $file; and return 0
        end
        return 1
    end
end

# Sets __gvm_now to everything that decides about the version here.
function __gvm_look
    if test "$PWD" != "$__gvm_pwd"
        set -g __gvm_pwd $PWD
        set -l dir $PWD/
        set -l dirs $dir
        while string match -rq '(?s)^(?<dir>.*/)[^/]+/$' -- $dir
            set -a dirs $dir
        end
        set -g __gvm_pins {$dirs}{.tool-versions,.go-version}
        set -g __gvm_works {$dirs}go.work
        set -g __gvm_mods {$dirs}go.mod
    end

    set -l generation ''
    test -r $__gvm_root/generation; and read -z generation <$__gvm_root/generation
    set -g __gvm_now "$GVM_VERSION"\n"$GOWORK"\n"$GO111MODULE"\n"$generation"\n
    test -z "$GVM_VERSION"; or return 0

    if $__gvm_any $__gvm_pins
        for file in $__gvm_pins
            test -e $file; or continue
            __gvm_add $file
            string match -q '*/.go-version' -- $file; and return 0
        end
    end
    if $__gvm_any $__gvm_works
        __gvm_add_module $__gvm_works
    end
    if $__gvm_any $__gvm_mods
        __gvm_add_module $__gvm_mods
    end
    return 0
end

# Adds a file to what decides: its text, or a mark where reading could block.
function __gvm_add --argument-names file
    set -l text ''
    if test -f $file -a -r $file
        read -z text <$file
    else if test -e $file
        set text '(unreadable)'
    end
    set -g __gvm_now "$__gvm_now$file"\n"$text"\n
end

# Adds the go and toolchain lines of the first module file that is there. They
# stand at the top; the rest changes often and decides nothing.
function __gvm_add_module
    for file in $argv
        test -f $file; or continue
        set -l text ''
        test -r $file; and read -z text <$file
        if test "$text" != "$__gvm_module_text"
            set -g __gvm_module_text $text
            set -g __gvm_module_lines
            for line in (string split -m 60 \n -- $text)[1..60]
                string match -q 'require*' -- $line; and break
                string match -rq '^(go|toolchain)\s' -- $line; and set -a __gvm_module_lines $line
            end
        end
        set -g __gvm_now "$__gvm_now$file"\n"$__gvm_module_lines"\n
        return 0
    end
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
end

# fish gives the status back that a command had before the event.
function __gvm_refresh --on-variable PWD --on-event fish_prompt
    __gvm_look
    if test "$PATH" != "$__gvm_path"
        # The user's PATH is the user's, but gvm has to know when its shims have
        # just lost their place in it, or got it back. No key is ever empty.
        set -l before $__gvm_shadow
        __gvm_look_at_path
        test "$__gvm_shadow" = "$before"; or set -g __gvm_key ''
    end
    test "$__gvm_now" != "$__gvm_key"; or return 0
    # Stored first, so that a failure is reported once and not at each prompt.
    set -g __gvm_key $__gvm_now
    set -l text ($__gvm_exe hook fish --refresh --hinted "$__gvm_hinted" </dev/null)
    or return 0
    string join \n -- $text | source
    __gvm_look_at_path
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
    else
        $__gvm_exe $argv
    end
end

# __GVM_ACTIVATION__

__gvm_settle
