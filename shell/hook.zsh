# gvm's hook for zsh 5.1 and later: eval "$(gvm hook zsh)"
#
# Before each prompt and on each change of directory, builtins alone compare what
# decides about the version with what it was the last time. Only when it differs
# is `gvm hook zsh --refresh` run, once, and what it prints on stdout evaluated.
# `gvm use` works likewise.

# The functions below run with zsh's own options, which their caller sets.

# Sets __gvm_now to everything that decides about the version here.
__gvm_look() {
  local dir text work mod

  if [[ $PWD != "$__gvm_pwd" ]]; then
    __gvm_pwd=$PWD
    dir=${PWD%/}/
    __gvm_dirs=($dir)
    while [[ $dir == */*/ ]]; do
      dir=${dir%/*/}/
      __gvm_dirs+=($dir)
    done
  fi

  if [[ -r $__gvm_root/generation ]]; then
    sysread -s 4096 text <$__gvm_root/generation || : # an empty file is a failure to it
  fi
  __gvm_now=${GVM_VERSION-}$'\n'${GOWORK-}$'\n'${GO111MODULE-}$'\n'$text$'\n'
  [[ -z ${GVM_VERSION-} ]] || return 0

  for dir in $__gvm_dirs; do
    # Most directories have none of the four.
    if [[ -e ${dir}.go-version || -e ${dir}.tool-versions ||
      -f ${dir}go.mod || -f ${dir}go.work ]]; then
      if [[ -e ${dir}.tool-versions ]]; then
        __gvm_add ${dir}.tool-versions
      fi
      if [[ -e ${dir}.go-version ]]; then
        __gvm_add ${dir}.go-version
        return 0
      fi
      if [[ -z $work && -f ${dir}go.work ]]; then
        work=${dir}go.work
      fi
      if [[ -z $mod && -f ${dir}go.mod ]]; then
        mod=${dir}go.mod
      fi
    fi
  done
  [[ -z $work ]] || __gvm_add_module $work
  [[ -z $mod ]] || __gvm_add_module $mod
}

# Adds the file $1 to what decides: the start of its text, or a mark where
# reading it could block.
__gvm_add() {
  local text=
  if [[ -f $1 && -r $1 ]]; then
    sysread -s 4096 text <$1 || :
  elif [[ -e $1 ]]; then
    text='(unreadable)'
  fi
  __gvm_now+=$1$'\n'$text$'\n'
}

# Adds the go and toolchain lines of the go.mod or go.work file $1. They stand
# at the top; the rest changes often and decides nothing.
__gvm_add_module() {
  local text=
  if [[ -r $1 ]]; then
    sysread -s 4096 text <$1 || :
  fi
  text=${text%%$'\n'require*}
  __gvm_now+=$1$'\n'${(F)${(M)${(f)text}:#(go|toolchain)[[:blank:]]*}}$'\n'
}

# Remembers PATH, and sets __gvm_shadow to the go that is found
# before the shims, or to the shims where PATH has lost them, or to nothing.
__gvm_look_at_path() {
  local dir
  __gvm_path=$PATH
  __gvm_shadow=$__gvm_shims
  for dir in "${path[@]}"; do
    if [[ ${dir%/} == "$__gvm_shims" ]]; then
      __gvm_shadow=
      return 0
    fi
    dir=${dir:-.}/go # an empty entry is the current directory
    if [[ -f $dir && -x $dir ]]; then
      __gvm_shadow=$dir
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
  emulate -L zsh -o no_err_exit -o no_err_return
  local text before
  __gvm_look
  if [[ $PATH != "$__gvm_path" ]]; then
    # The user's PATH is the user's, but gvm has to know when its shims have just
    # lost their place in it, or got it back. No key is ever empty.
    before=$__gvm_shadow
    __gvm_look_at_path
    [[ $__gvm_shadow == "$before" ]] || __gvm_key=
  fi
  [[ $__gvm_now != "$__gvm_key" ]] || return 0
  # Stored first, so that a failure is reported once and not at each prompt.
  __gvm_key=$__gvm_now
  text=$("$__gvm_exe" hook zsh --refresh --hinted "$__gvm_hinted" </dev/null) || return 0
  eval "$text"
  __gvm_look_at_path
  return 0
}

__gvm_use() {
  emulate -L zsh -o no_err_exit -o no_err_return
  local text
  text=$("$__gvm_exe" use --eval zsh "$@") || return
  eval "$text" && __gvm_settle
}

# `function` keeps an alias of that name from being expanded here.
function gvm {
  if [[ ${1-} == use ]]; then
    shift
    __gvm_use "$@"
  else
    "$__gvm_exe" "$@"
  fi
}

# A function without a name, so that the user's options do not matter here and
# stay as they are.
() {
  emulate -L zsh -o no_err_exit -o no_err_return

  typeset -g __gvm_exe=__GVM_EXE__
  typeset -g __gvm_root=__GVM_ROOT__
  typeset -g __gvm_shims=__GVM_SHIMS__
  typeset -g __gvm_hinted= # set by evaluated text: the hints that this shell has seen
  typeset -g __gvm_key=    # what decided at the last refresh
  typeset -g __gvm_now=    # what decides now
  typeset -g __gvm_pwd=    # the directory that __gvm_dirs was made for
  typeset -ga __gvm_dirs   # that directory and those above it, each with a closing slash
  typeset -g __gvm_path=   # PATH when it was last looked at
  typeset -g __gvm_shadow= # what kept the shims from being found in that PATH

  # $(<file) would not fork either, but reads files of any size.
  zmodload -F zsh/system b:sysread

  # __GVM_ACTIVATION__

  __gvm_settle

  autoload -Uz add-zsh-hook
  add-zsh-hook chpwd __gvm_refresh
  add-zsh-hook precmd __gvm_refresh
}
