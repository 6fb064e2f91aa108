# gvm's hook for zsh 5.1 and later: eval "$(gvm hook zsh)"
#
# Before each prompt and on each change of directory, builtins alone compare what
# decides about the version with what it was the last time. Only when it differs is a
# program asked what changes, once, and what it prints on stdout evaluated. `gvm use`
# works likewise.

# The functions below run with zsh's own options, which their caller sets, but for
# __gvm_unchanged, which needs none.

# Succeeds where nothing has changed since the last look, which made this function:
# one condition and a few reads, without a loop, in a third of the time of a look.
function __gvm_unchanged { return 1 }

# Sets __gvm_dirs and __gvm_ways. Relative ways are quick, but `..` is the directory
# above only up to the first symbolic link.
__gvm_climb() {
  local dir=${PWD%/}/ way=
  __gvm_pwd=$PWD
  __gvm_dirs=($dir)
  __gvm_ways=('')
  while [[ $dir == */*/ ]]; do
    if [[ $way == *\'* || -L ${dir%/} ]]; then
      way=${(qqqq)${dir%/}:h}
      way=${way%/}/
    else
      way+=../
    fi
    dir=${dir%/*/}/
    __gvm_dirs+=($dir)
    __gvm_ways+=($way)
  done
}

# Sets __gvm_now to everything that decides about the version here, and gathers what
# __gvm_watch needs.
__gvm_look() {
  local at name text

  [[ $PWD == "$__gvm_pwd" ]] || __gvm_climb
  __gvm_texts= __gvm_tests= __gvm_reads=
  __gvm_now=${GVM_VERSION-}$'\n'${GOWORK-}$'\n'${GO111MODULE-}$'\n'
  __gvm_read $__gvm_root/generation ${(qqqq)__gvm_root}/generation
  __gvm_now+=$text$'\n'
  [[ -z ${GVM_VERSION-} ]] || return 0

  for at in {1..$#__gvm_dirs}; do
    for name in .tool-versions .go-version; do
      if [[ -e $__gvm_dirs[at]$name ]]; then
        __gvm_read $__gvm_dirs[at]$name $__gvm_ways[at]$name
        __gvm_now+=$__gvm_dirs[at]$name$'\n'$text$'\n'
        [[ $name != .go-version ]] || return 0
      else
        __gvm_tests+=" && ! -e $__gvm_ways[at]$name"
      fi
    done
  done
  for name in go.work go.mod; do
    for at in {1..$#__gvm_dirs}; do
      if [[ -f $__gvm_dirs[at]$name ]]; then
        __gvm_read $__gvm_dirs[at]$name $__gvm_ways[at]$name require
        # The go and toolchain lines stand at the top; the rest changes often and
        # decides nothing.
        __gvm_now+=$__gvm_dirs[at]$name$'\n'
        __gvm_now+=${(F)${(M)${(f)text}:#(go|toolchain)[[:blank:]]*}}$'\n'
        break
      fi
      __gvm_tests+=" && ! -f $__gvm_ways[at]$name"
    done
  done
}

# Reads the start of the file $1 into the caller's text, up to a line that begins
# with $3, and has __gvm_unchanged read as much of it by the way $2. What could block
# there is looked at anew each time.
__gvm_read() {
  setopt local_options no_multibyte # sysread counts bytes
  local length=4096
  text=
  if [[ -f $1 && -r $1 ]]; then
    sysread -s 4096 text <$1 || : # an empty file is a failure to it
    if [[ -n ${3-} && $text == *$'\n'$3* ]]; then
      text=${text%%$'\n'$3*}$'\n'$3
      length=$#text
    fi
    __gvm_texts+=$text:
    __gvm_tests+=" && -f $2 && -r $2"
    __gvm_reads+="__gvm_text=; sysread -s $length __gvm_text <$2 || :; __gvm_seen+=\$__gvm_text:"$'\n'
  else
    __gvm_tests+=" && ! -e $2"
    [[ ! -e $1 ]] || text='(unreadable)'
  fi
}

# Makes __gvm_unchanged of what the last look gathered.
__gvm_watch() {
  setopt local_options no_aliases
  __gvm_state=$PWD:$PATH:${GVM_VERSION-}:${GOWORK-}:${GO111MODULE-}
  eval "function __gvm_unchanged {
    [[ \$PWD:\$PATH:\${GVM_VERSION-}:\${GOWORK-}:\${GO111MODULE-} == \"\$__gvm_state\"$__gvm_tests ]] ||
      return 1
    __gvm_seen=
    $__gvm_reads
    [[ \$__gvm_seen == \"\$__gvm_texts\" ]]
  }"
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
  __gvm_watch
}

__gvm_refresh() {
  if __gvm_unchanged; then
    return 0
  fi
  emulate -L zsh -o no_err_exit -o no_err_return
  local text before
  local -a arguments
  __gvm_look
  if [[ $PATH != "$__gvm_path" ]]; then
    # The user's PATH is the user's, but gvm has to know when its shims have just
    # lost their place in it, or got it back. No key is ever empty.
    before=$__gvm_shadow
    __gvm_look_at_path
    [[ $__gvm_shadow == "$before" ]] || __gvm_key=
  fi
  if [[ $__gvm_now != "$__gvm_key" ]]; then
    # Stored first, so that a failure is reported once and not at each prompt.
    __gvm_key=$__gvm_now
    arguments=(hook zsh --refresh --hinted "$__gvm_hinted")
    text=$("$__gvm_refresher" "${arguments[@]}" </dev/null) || {
      # Above 125 it has no answer.
      (( $? > 125 )) && text=$("$__gvm_exe" "${arguments[@]}" </dev/null)
    } || text=
    eval "$text"
    __gvm_look_at_path
  fi
  __gvm_watch
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
  elif [[ ${1-} == doctor ]]; then
    GVM_HOOK=__GVM_MARK__ "$__gvm_exe" "$@"
  else
    "$__gvm_exe" "$@"
  fi
}

# A function without a name, so that the user's options do not matter here and
# stay as they are.
() {
  emulate -L zsh -o no_err_exit -o no_err_return

  typeset -g __gvm_exe=__GVM_EXE__
  typeset -g __gvm_refresher=__GVM_REFRESHER__ # tells what changes; the quick one of the two
  typeset -g __gvm_root=__GVM_ROOT__
  typeset -g __gvm_shims=__GVM_SHIMS__
  typeset -g __gvm_hinted= # set by evaluated text: the hints that this shell has seen
  typeset -g __gvm_key=    # what decided at the last refresh
  typeset -g __gvm_now=    # what decides now
  typeset -g __gvm_pwd=    # the directory that the next two lists were made for
  typeset -ga __gvm_dirs   # that directory and those above it, each with a closing slash
  typeset -ga __gvm_ways   # the same as shell code, the way that the shell gets there
  typeset -g __gvm_path=   # PATH when it was last looked at
  typeset -g __gvm_shadow= # what kept the shims from being found in that PATH
  typeset -g __gvm_state=  # the variables that __gvm_unchanged was made for,
  typeset -g __gvm_texts=  # what it expects in the files that it reads,
  typeset -g __gvm_tests=  # the code that it is made of,
  typeset -g __gvm_reads=
  typeset -g __gvm_text=   # and what it has read
  typeset -g __gvm_seen=

  # $(<file) would not fork either, but reads files of any size.
  zmodload -F zsh/system b:sysread

  # __GVM_ACTIVATION__

  # The rest of __gvm_settle waits for the first prompt.
  __gvm_look
  __gvm_key=$__gvm_now

  autoload -Uz add-zsh-hook
  add-zsh-hook chpwd __gvm_refresh
  add-zsh-hook precmd __gvm_refresh
}
