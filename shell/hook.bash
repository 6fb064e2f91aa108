# gvm's hook for bash 3.2 and later: eval "$(gvm hook bash)"
#
# Before each prompt, builtins alone compare what decides about the version with
# what it was the last time. Only when it differs is `gvm hook bash --refresh`
# run, once, and what it prints on stdout evaluated. `gvm use` works likewise.
# shellcheck shell=bash

__gvm_exe=__GVM_EXE__
__gvm_root=__GVM_ROOT__
__gvm_shims=__GVM_SHIMS__
__gvm_hinted= # set by evaluated text: the hints that this shell has seen
__gvm_key=    # what decided at the last refresh
__gvm_now=    # what decides now
__gvm_pwd=    # the directory that __gvm_dirs was made for
__gvm_dirs=() # that directory and those above it, each with a closing slash
__gvm_path=   # PATH when it was last looked at
__gvm_shadow= # what kept the shims from being found in that PATH

# Comparisons are made with `[`: `[[` and `case` go by the user's nocasematch.

# Sets __gvm_now to everything that decides about the version here.
__gvm_look() {
  local __gvm_dir __gvm_text='' __gvm_work='' __gvm_mod=''

  if [ "$PWD" != "$__gvm_pwd" ]; then
    __gvm_pwd=$PWD
    __gvm_dir=${PWD%/}/
    __gvm_dirs=("$__gvm_dir")
    while [[ $__gvm_dir == */*/ ]]; do
      __gvm_dir=${__gvm_dir%/*/}/
      __gvm_dirs+=("$__gvm_dir")
    done
  fi

  if [[ -r $__gvm_root/generation ]]; then
    IFS= read -r -d '' -n 4096 __gvm_text <"$__gvm_root/generation" || :
  fi
  __gvm_now=${GVM_VERSION-}$'\n'${GOWORK-}$'\n'${GO111MODULE-}$'\n'$__gvm_text$'\n'
  [ -z "${GVM_VERSION-}" ] || return 0

  for __gvm_dir in "${__gvm_dirs[@]}"; do
    # Most directories have none of the four.
    if [[ -e ${__gvm_dir}.go-version || -e ${__gvm_dir}.tool-versions ||
      -f ${__gvm_dir}go.mod || -f ${__gvm_dir}go.work ]]; then
      if [[ -e ${__gvm_dir}.tool-versions ]]; then
        __gvm_add "${__gvm_dir}.tool-versions"
      fi
      if [[ -e ${__gvm_dir}.go-version ]]; then
        __gvm_add "${__gvm_dir}.go-version"
        return 0
      fi
      if [[ -z $__gvm_work && -f ${__gvm_dir}go.work ]]; then
        __gvm_work=${__gvm_dir}go.work
      fi
      if [[ -z $__gvm_mod && -f ${__gvm_dir}go.mod ]]; then
        __gvm_mod=${__gvm_dir}go.mod
      fi
    fi
  done
  [[ -z $__gvm_work ]] || __gvm_add_module "$__gvm_work"
  [[ -z $__gvm_mod ]] || __gvm_add_module "$__gvm_mod"
}

# Adds the file $1 to what decides: its text, or a mark where reading it could
# block. `read` reports the missing delimiter as a failure; the text is there.
__gvm_add() {
  local __gvm_text=
  if [[ -f $1 && -r $1 ]]; then
    IFS= read -r -d '' -n 4096 __gvm_text <"$1" || :
  elif [[ -e $1 ]]; then
    __gvm_text='(unreadable)'
  fi
  __gvm_now+=$1$'\n'$__gvm_text$'\n'
}

# Adds the go and toolchain lines of the go.mod or go.work file $1. They stand
# at the top; the rest changes often and decides nothing.
__gvm_add_module() {
  local __gvm_line='' __gvm_count=0
  __gvm_now+=$1$'\n'
  [[ -r $1 ]] || return 0
  while ((__gvm_count++ < 60)) &&
    { IFS= read -r -n 1024 __gvm_line || [ -n "$__gvm_line" ]; }; do
    case $__gvm_line in
      go[[:blank:]]* | toolchain[[:blank:]]*) __gvm_now+=$__gvm_line$'\n' ;;
      require*) break ;;
    esac
  done <"$1"
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
}

__gvm_refresh() {
  local __gvm_text __gvm_before
  __gvm_look
  if [ "$PATH" != "$__gvm_path" ]; then
    # The user's PATH is the user's, but gvm has to know when its shims have just
    # lost their place in it, or got it back. No key is ever empty.
    __gvm_before=$__gvm_shadow
    __gvm_look_at_path
    [ "$__gvm_shadow" = "$__gvm_before" ] || __gvm_key=
  fi
  [ "$__gvm_now" != "$__gvm_key" ] || return 0
  # Stored first, so that a failure is reported once and not at each prompt.
  __gvm_key=$__gvm_now
  __gvm_text=$("$__gvm_exe" hook bash --refresh --hinted "$__gvm_hinted" </dev/null) || return 0
  eval "$__gvm_text" || :
  __gvm_look_at_path
}

__gvm_prompt() {
  local __gvm_status=$?
  __gvm_refresh
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
  else
    "$__gvm_exe" "$@"
  fi
}

# __GVM_ACTIVATION__

__gvm_settle

# In front, so that the user's own commands see the new state. An assignment
# without an index is to the first element, should it be an array.
if [[ ${PROMPT_COMMAND[*]-} != *__gvm_prompt* ]]; then
  # shellcheck disable=SC2128,SC2178
  PROMPT_COMMAND=__gvm_prompt${PROMPT_COMMAND:+;$PROMPT_COMMAND}
fi
