#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Usage: code-server.sh check|write HOME
#
# Runs in the pod of code-server. Standard input has two lines of base64: what sh, and what fish, is to
# source. Each goes as a block into a file that others write as well; an empty line takes the block away.
# Prints the files, relative to HOME, that differ and, with write, now do not.
set -eu
umask 077
mode=$1
cd "$2"
owner=$(stat -c %u:%g .)
folder=.config/thinkube
begin='# begin of thinkube.devpi'
end='# end of thinkube.devpi'

# Everything in a file but our block; nothing where there is no file.
others() { [ ! -f "$1" ] || sed "/^$begin\$/,/^$end\$/d" "$1"; }

content() { [ ! -f "$1" ] || cat "$1"; }

# An exec may come as root, and the files are for who has the home.
give() { [ "$(id -u)" -ne 0 ] || chown "$owner" "$@"; }

# make_folder PATH: with those above it that are missing.
make_folder() {
    [ ! -d "$1" ] || return 0
    case $1 in */*) make_folder "${1%/*}" ;; esac
    mkdir "$1"
    give "$1"
}

# settle FILE CONTENT: the file has this content, or is not there. What is a link stays one.
settle() {
    if [ "$2" = "$(content "$1")" ]; then return; fi
    echo "$1"
    [ "$mode" = write ] || return 0
    if [ -z "$2" ]; then
        rm "$1"
        return
    fi
    case $1 in */*) make_folder "${1%/*}" ;; esac
    # First beside it: a full disk must not cost what was in the file.
    printf '%s\n' "$2" > "$1.new"
    if [ -e "$1" ]; then
        cat "$1.new" > "$1"
        rm "$1.new"
    else
        give "$1.new"
        mv "$1.new" "$1"
    fi
}

# variables FILE: our block, from standard input, behind what others have in the file.
variables() {
    IFS= read -r encoded
    block=$(printf %s "$encoded" | base64 -d)
    kept=$(others "$1")
    wanted=$kept
    if [ -n "$block" ]; then
        wanted="${kept:+$kept
}$begin
$block
$end"
    fi
    settle "$1" "$wanted"
    if [ -f "$1" ] && [ "$(stat -c %a "$1")" != 600 ]; then
        echo "$1 (mode)"
        [ "$mode" = check ] || chmod 600 "$1"
    fi
}

# source_once RC FILE LINE: the shell reads the file by this line, unless it does already.
source_once() {
    found=$(content "$1")
    if [ -n "$wanted" ]; then
        case $found in *"${2##*/}"*) return 0 ;; esac
        settle "$1" "${found:+$found
}$3"
    else
        settle "$1" "$(printf '%s\n' "$found" | grep -vxF -e "$3" || true)"
    fi
}

file=$folder/service-env-cs.sh
line="if [ -f ~/$file ]; then . ~/$file; fi  # thinkube.devpi"
variables "$file"
source_once .bashrc "$file" "$line"
source_once .zshrc "$file" "$line"

file=$folder/service-env-cs.fish
variables "$file"
source_once .config/fish/config.fish "$file" "if test -f ~/$file; source ~/$file; end  # thinkube.devpi"
