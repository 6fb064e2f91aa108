# gvm's hook for PowerShell 5.1 and later: Invoke-Expression (& gvm hook powershell | Out-String)
#
# Before each prompt and on each change of location, .NET calls alone compare what
# decides about the version with what it was the last time. Only when it differs
# is `gvm hook powershell --refresh` run, once, and what it prints on stdout
# evaluated. `gvm use` works likewise.

$global:__gvm_exe = __GVM_EXE__
$global:__gvm_root = __GVM_ROOT__
$global:__gvm_shims = __GVM_SHIMS__
$global:__gvm_hinted = '' # set by evaluated text: the hints that this shell has seen
$global:__gvm_key = ''    # what decided at the last refresh
$global:__gvm_path = ''   # PATH when it was last looked at
$global:__gvm_shadow = '' # what kept the shims from being found in that PATH

# The start of a file's text, or '' where there is none or reading could block: a
# named pipe has no length.
function global:__gvm_read([string] $file) {
    try {
        $info = [IO.FileInfo]::new($file)
        if (($info.Attributes -band [IO.FileAttributes]::ReparsePoint) -and $PSVersionTable.PSVersion.Major -gt 5) {
            $info = $info.ResolveLinkTarget($true)
        }
        if ($info.Length -eq 0) { return '' }
        $reader = [IO.StreamReader]::new($file)
        try {
            $buffer = [char[]]::new(4096)
            return [string]::new($buffer, 0, $reader.ReadBlock($buffer, 0, $buffer.Length))
        } finally {
            $reader.Dispose()
        }
    } catch {
        return '(unreadable)'
    }
}

# The go and toolchain lines of a go.mod or go.work file. They stand at the top;
# the rest changes often and decides nothing.
function global:__gvm_module_lines([string] $file) {
    $lines = foreach ($line in (__gvm_read $file).Split("`n")) {
        if ($line.StartsWith('require')) { break }
        if ($line -match '^(go|toolchain)\s') { $line }
    }
    return $lines -join "`n"
}

# Everything that decides about the version in a directory, as one text.
function global:__gvm_look([string] $directory) {
    $parts = [Collections.Generic.List[string]]::new()
    $parts.Add($env:GVM_VERSION)
    $parts.Add($env:GOWORK)
    $parts.Add($env:GO111MODULE)
    $generation = [IO.Path]::Combine($__gvm_root, 'generation')
    if ([IO.File]::Exists($generation)) { $parts.Add((__gvm_read $generation)) }
    if ($env:GVM_VERSION) { return $parts -join "`n" }

    $work = ''
    $mod = ''
    for ($at = $directory; $at; $at = [IO.Path]::GetDirectoryName($at)) {
        foreach ($name in '.tool-versions', '.go-version') {
            $file = [IO.Path]::Combine($at, $name)
            if ([IO.File]::Exists($file)) {
                $parts.Add($file)
                $parts.Add((__gvm_read $file))
                if ($name -eq '.go-version') { return $parts -join "`n" }
            } elseif ([IO.Directory]::Exists($file)) {
                $parts.Add("$file (a directory)")
            }
        }
        if (-not $work) {
            $file = [IO.Path]::Combine($at, 'go.work')
            if ([IO.File]::Exists($file)) { $work = $file }
        }
        if (-not $mod) {
            $file = [IO.Path]::Combine($at, 'go.mod')
            if ([IO.File]::Exists($file)) { $mod = $file }
        }
    }
    foreach ($file in $work, $mod) {
        if ($file) {
            $parts.Add($file)
            $parts.Add((__gvm_module_lines $file))
        }
    }
    return $parts -join "`n"
}

# Looks at PATH if it has changed: sets __gvm_shadow to the go that is found
# before the shims, or to the shims where PATH has lost them, or to nothing.
function global:__gvm_look_at_path {
    if ($env:PATH -ceq $__gvm_path) { return }
    $global:__gvm_path = $env:PATH
    $global:__gvm_shadow = $__gvm_shims
    $separator = [IO.Path]::DirectorySeparatorChar
    $go = if ($separator -eq '\') { 'go.exe' } else { 'go' }
    foreach ($entry in "$env:PATH".Split([IO.Path]::PathSeparator)) {
        if ($entry.TrimEnd($separator) -eq $__gvm_shims) {
            $global:__gvm_shadow = ''
            return
        }
        try { $file = [IO.Path]::Combine($entry, $go) } catch { continue }
        if ([IO.File]::Exists($file)) {
            $global:__gvm_shadow = $file
            return
        }
    }
}

# Takes what decides now as known.
function global:__gvm_settle {
    if ($PWD.Provider.Name -eq 'FileSystem') {
        $global:__gvm_key = __gvm_look $PWD.ProviderPath
    }
    __gvm_look_at_path
}

# Runs gvm and returns what it prints on stdout, and its exit code. The call
# operator would change $LASTEXITCODE, decode by the console's code page and, in
# 5.1, lose empty arguments and quotation marks.
function global:__gvm_capture([string[]] $arguments) {
    $quoted = foreach ($argument in $arguments) {
        # The rules of CommandLineToArgvW, by which .NET goes on Unix too.
        '"' + ($argument -replace '(\\*)"', '$1$1\"' -replace '(\\+)$', '$1$1') + '"'
    }
    $start = [Diagnostics.ProcessStartInfo]::new($__gvm_exe, $quoted -join ' ')
    $start.WorkingDirectory = $PWD.ProviderPath
    $start.UseShellExecute = $false
    $start.RedirectStandardOutput = $true
    $start.StandardOutputEncoding = [Text.UTF8Encoding]::new($false)
    $process = [Diagnostics.Process]::Start($start)
    try {
        $text = $process.StandardOutput.ReadToEnd()
        $process.WaitForExit()
        return @{ Text = $text; Code = $process.ExitCode }
    } finally {
        $process.Dispose()
    }
}

function global:__gvm_refresh {
    # Other providers, such as the registry and the environment, have no pins.
    if ($PWD.Provider.Name -ne 'FileSystem') { return }
    try {
        $before = $__gvm_shadow
        $now = __gvm_look $PWD.ProviderPath
        __gvm_look_at_path
        if ($now -ceq $__gvm_key) {
            # The user's PATH is the user's, but gvm has to know when its shims
            # have just lost their place in it, or got it back.
            if ($__gvm_shadow -ceq $before) { return }
        }
        # Stored first, so that a failure is reported once and not at each prompt.
        $global:__gvm_key = $now
        if (-not [IO.Directory]::Exists($PWD.ProviderPath)) { return }
        $answer = __gvm_capture 'hook', 'powershell', '--refresh', '--hinted', $__gvm_hinted
        if ($answer.Code -eq 0 -and $answer.Text) { Invoke-Expression $answer.Text }
        __gvm_look_at_path
    } catch {
        [Console]::Error.WriteLine("gvm: $($_.Exception.Message)")
    }
}

function global:__gvm_use([string[]] $arguments) {
    $answer = __gvm_capture (@('use', '--eval', 'powershell') + $arguments)
    $global:LASTEXITCODE = $answer.Code
    if ($answer.Code -ne 0) { return }
    if ($answer.Text) { Invoke-Expression $answer.Text }
    __gvm_settle
}

# The arguments of gvm as they were typed. A function never sees the first bare
# `--`, which is for programs that gvm runs; it is put back where the line leaves
# no doubt about its place: each word there is one argument.
function global:__gvm_arguments($invocation, [object[]] $arguments) {
    if ($invocation.OffsetInLine -lt 1) { return $arguments }
    $typed = $invocation.Line.Substring($invocation.OffsetInLine - 1)
    $command = [Management.Automation.Language.Parser]::ParseInput($typed, [ref] $null, [ref] $null).Find(
        { $args[0] -is [Management.Automation.Language.CommandAst] }, $false)
    if (-not $command -or $command.CommandElements.Count -ne $arguments.Count + 2) { return $arguments }
    for ($at = 0; $at -le $arguments.Count; $at++) {
        if ($command.CommandElements[$at + 1].Extent.Text -ceq '--') {
            return @($arguments | Select-Object -First $at) + '--' + @($arguments | Select-Object -Skip $at)
        }
    }
    return $arguments
}

function global:gvm {
    $arguments = @(__gvm_arguments $MyInvocation $args)
    if ($arguments.Count -gt 0 -and $arguments[0] -ceq 'use') {
        __gvm_use @($arguments | Select-Object -Skip 1)
    } elseif ($arguments.Count -gt 0 -and $arguments[0] -ceq 'doctor') {
        $env:GVM_HOOK = '__GVM_MARK__'
        try { & $__gvm_exe @arguments } finally { $env:GVM_HOOK = $null }
    } elseif ($MyInvocation.ExpectingInput) {
        $input | & $__gvm_exe @arguments
    } else {
        & $__gvm_exe @arguments
    }
}

# __GVM_ACTIVATION__

__gvm_settle

& {
    # PowerShell 5.1 has no such action; there the prompt has to do.
    $commands = $ExecutionContext.SessionState.InvokeCommand
    if ($commands.PSObject.Properties['LocationChangedAction']) {
        if (-not (Test-Path Variable:global:__gvm_location_changed)) {
            $global:__gvm_location_changed =
                [EventHandler[Management.Automation.LocationChangedEventArgs]] { __gvm_refresh }
        }
        $action = $commands.LocationChangedAction
        if (-not $action -or $action.GetInvocationList() -notcontains $__gvm_location_changed) {
            $commands.LocationChangedAction = [Delegate]::Combine($action, $__gvm_location_changed)
        }
    }

    $prompt = $commands.GetCommand('prompt', 'Function')
    if ($prompt -and $prompt.Definition -notmatch '__gvm_refresh') {
        $global:__gvm_original_prompt = $prompt.ScriptBlock
        function global:prompt {
            $__gvm_ok = $?
            __gvm_refresh
            # The only way to set $? for what follows.
            if (-not $__gvm_ok) { Write-Error '' -ErrorAction Ignore }
            & $__gvm_original_prompt
        }
    }
}
