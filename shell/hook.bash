# gvm's hook for bash 3.2 and later: eval "$(gvm hook bash)"
#
# Before each prompt, builtins alone compare what decides about the version with
# what it was the last time. Only when it differs is a program asked what changes,
# once, and what it prints on stdout evaluated. `gvm use` works likewise.
# shellcheck shell=bash

__gvm_exe=__GVM_EXE__
__gvm_refresher=__GVM_REFRESHER__ # tells what changes; the quick one of the two
__gvm_root=__GVM_ROOT__
__gvm_shims=__GVM_SHIMS__
__gvm_hinted= # set by evaluated text: the hints that this shell has seen
__gvm_key=    # what decided at the last refresh
__gvm_now=    # what decides now
__gvm_pwd=    # the directory that the next two lists were made for
__gvm_dirs=() # that directory and those above it, each with a closing slash
__gvm_ways=() # the same as shell code, the way that the shell gets there
__gvm_path=   # PATH when it was last looked at
__gvm_shadow= # what kept the shims from being found in that PATH
__gvm_state=  # the variables that __gvm_unchanged was made for,
__gvm_texts=  # what it expects in the files that it reads,
__gvm_tests=  # and the code that it is made of
__gvm_reads=
__gvm_text= # what was read last,
__gvm_seen= # and all that __gvm_unchanged has read

# Comparisons are made with `[`: `[[` and `case` go by the user's nocasematch.

# Succeeds where nothing has changed since the last look, which made this function:
# one condition and a few reads, without a loop, in a third of the time of a look.
__gvm_unchanged() { return 1; }

# Sets __gvm_dirs and __gvm_ways. Relative ways are quick and need no quotes, but
# `..` is the directory above only up to the first symbolic link.
__gvm_climb() {
  local __gvm_dir=${PWD%/}/ __gvm_way=''
  __gvm_pwd=$PWD
  __gvm_dirs=("$__gvm_dir")
  __gvm_ways=('')
  while [[ $__gvm_dir == */*/ ]]; do
    if [[ $__gvm_way == *dirs* || -L ${__gvm_dir%/} ]]; then
      __gvm_way="\"\${__gvm_dirs[${#__gvm_dirs[@]}]}\""
    else
      __gvm_way+=../
    fi
    __gvm_dir=${__gvm_dir%/*/}/
    __gvm_dirs+=("$__gvm_dir")
    __gvm_ways+=("$__gvm_way")
  done
}

# Sets __gvm_now to everything that decides about the version here, and gathers what
# __gvm_watch needs.
__gvm_look() {
  local __gvm_at __gvm_name __gvm_text=''

  [ "$PWD" = "$__gvm_pwd" ] || __gvm_climb
  __gvm_texts='' __gvm_tests='' __gvm_reads=''
  __gvm_now=${GVM_VERSION-}$'\n'${GOWORK-}$'\n'${GO111MODULE-}$'\n'
  __gvm_read "$__gvm_root/generation" "\"\$__gvm_root/generation\""
  __gvm_now+=$__gvm_text$'\n'
  [ -z "${GVM_VERSION-}" ] || return 0

  for __gvm_at in "${!__gvm_dirs[@]}"; do
    for __gvm_name in .tool-versions .go-version; do
      if [[ -e ${__gvm_dirs[__gvm_at]}$__gvm_name ]]; then
        __gvm_read "${__gvm_dirs[__gvm_at]}$__gvm_name" "${__gvm_ways[__gvm_at]}$__gvm_name"
        __gvm_now+=${__gvm_dirs[__gvm_at]}$__gvm_name$'\n'$__gvm_text$'\n'
        [ $__gvm_name != .go-version ] || return 0
      else
        __gvm_tests+=" && ! -e ${__gvm_ways[__gvm_at]}$__gvm_name"
      fi
    done
  done
  for __gvm_name in go.work go.mod; do
    for __gvm_at in "${!__gvm_dirs[@]}"; do
      if [[ -f ${__gvm_dirs[__gvm_at]}$__gvm_name ]]; then
        __gvm_read "${__gvm_dirs[__gvm_at]}$__gvm_name" "${__gvm_ways[__gvm_at]}$__gvm_name" require
        __gvm_now+=${__gvm_dirs[__gvm_at]}$__gvm_name$'\n'
        __gvm_add_lines
        break
      fi
      __gvm_tests+=" && ! -f ${__gvm_ways[__gvm_at]}$__gvm_name"
    done
  done
}

# Reads the start of the file $1 into __gvm_text, up to a line that begins with $3,
# and has __gvm_unchanged read as much of it by the way $2. What could block there
# is looked at anew each time.
__gvm_read() {
  local __gvm_length=4096
  __gvm_text=
  if [[ -f $1 && -r $1 ]]; then
    # `read` reports the missing delimiter as a failure; the text is there.
    IFS= read -r -d '' -n 4096 __gvm_text <"$1" || :
    if [ -n "${3-}" ] && [[ $__gvm_text == *$'\n'"$3"* ]]; then
      __gvm_text=${__gvm_text%%$'\n'"$3"*}$'\n'$3
      __gvm_length=${#__gvm_text}
    fi
    __gvm_texts+=$__gvm_text:
    __gvm_tests+=" && -f $2 && -r $2"
    __gvm_reads+="IFS= read -r -d '' -n $__gvm_length __gvm_text <$2 || :
      __gvm_seen+=\$__gvm_text:
    "
  else
    __gvm_tests+=" && ! -e $2"
    [[ ! -e $1 ]] || __gvm_text='(unreadable)'
  fi
}

# Adds the go and toolchain lines in the text of a go.mod or go.work file to what
# decides. They stand at the top; the rest changes often and decides nothing.
__gvm_add_lines() {
  local __gvm_rest=$__gvm_text$'\n' __gvm_line
  while [ -n "$__gvm_rest" ]; do
    __gvm_line=${__gvm_rest%%$'\n'*}
    __gvm_rest=${__gvm_rest#*$'\n'}
    case $__gvm_line in
      go[[:blank:]]* | toolchain[[:blank:]]*) __gvm_now+=$__gvm_line$'\n' ;;
    esac
  done
}

# Makes __gvm_unchanged of what the last look gathered. The code holds no text of the
# user's: names of files below `..`, and variables.
__gvm_watch() {
  __gvm_state=$PWD:$PATH:${GVM_VERSION-}:${GOWORK-}:${GO111MODULE-}
  eval "__gvm_unchanged() {
    __gvm_seen=
    [ \"\$PWD:\$PATH:\${GVM_VERSION-}:\${GOWORK-}:\${GO111MODULE-}\" = \"\$__gvm_state\" ] &&
      [[ -n x$__gvm_tests ]] || return 1
    $__gvm_reads
    [ \"\$__gvm_seen\" = \"\$__gvm_texts\" ]
  }"
}

# Remembers PATH, and sets __gvm_shadow to the go that is found
# before the shims, or to the shims where PATH has lost them, or to nothing.
__gvm_look_at_path() {
  local __gvm_rest=$PATH: __gvm_entry
  __gvm_path=$PATH
  __gvm_shadow=$__gvm_shims
  while [ -n "$__gvm_rest" ]; do
    __gvm_entry=${__gvm_rest%%:*}
    __gvm_rest=${__gvm_rest#*:}
    if [ "${__gvm_entry%/}" = "$__gvm_shims" ]; then
      __gvm_shadow=
      return 0
    fi
    __gvm_entry=${__gvm_entry:-.}/go # an empty entry is the current directory
    if [[ -f $__gvm_entry && -x $__gvm_entry ]]; then
      __gvm_shadow=$__gvm_entry
      return 0
    fi
  done
}

# Takes what decides now as known.
__gvm_settle() {
  __gvm_look
  __gvm_key=$__gvm_now
  __gvm_look_at_path
  __gvm_watch
}

__gvm_refresh() {
  local __gvm_text __gvm_before __gvm_arguments
  __gvm_look
  if [ "$PATH" != "$__gvm_path" ]; then
    # The user's PATH is the user's, but gvm has to know when its shims have just
    # lost their place in it, or got it back. No key is ever empty.
    __gvm_before=$__gvm_shadow
    __gvm_look_at_path
    [ "$__gvm_shadow" = "$__gvm_before" ] || __gvm_key=
  fi
  if [ "$__gvm_now" != "$__gvm_key" ]; then
    # Stored first, so that a failure is reported once and not at each prompt.
    __gvm_key=$__gvm_now
    # With a redirection bash forks twice, but for `exec`. Above 125 it has no answer.
    __gvm_arguments=(hook bash --refresh --hinted "$__gvm_hinted")
    __gvm_text=$(exec "$__gvm_refresher" "${__gvm_arguments[@]}" </dev/null) || {
      [ $? -gt 125 ] && __gvm_text=$(exec "$__gvm_exe" "${__gvm_arguments[@]}" </dev/null)
    } || __gvm_text=
    eval "$__gvm_text" || :
    __gvm_look_at_path
  fi
  __gvm_watch
}

__gvm_prompt() {
  local __gvm_status=$?
  __gvm_unchanged || __gvm_refresh
  # Commands that follow in PROMPT_COMMAND see the status, except under errexit,
  # where returning it would end the shell.
  [[ -o errexit ]] || return "$__gvm_status"
}

__gvm_use() {
  local __gvm_text
  __gvm_text=$("$__gvm_exe" use --eval bash "$@") || return
  eval "$__gvm_text" && __gvm_settle
}

# `function` keeps an alias of that name from being expanded here.
function gvm {
  if [ "${1-}" = use ]; then
    shift
    __gvm_use "$@"
  elif [ "${1-}" = doctor ]; then
    GVM_HOOK=__GVM_MARK__ "$__gvm_exe" "$@"
  else
    "$__gvm_exe" "$@"
  fi
}

# __GVM_ACTIVATION__

# The rest of __gvm_settle waits for the first prompt.
__gvm_look
__gvm_key=$__gvm_now

# In front, so that the user's own commands see the new state. An assignment
# without an index is to the first element, should it be an array.
if [[ ${PROMPT_COMMAND[*]-} != *__gvm_prompt* ]]; then
  # shellcheck disable=SC2128,SC2178
  PROMPT_COMMAND=__gvm_prompt${PROMPT_COMMAND:+;$PROMPT_COMMAND}
fi
