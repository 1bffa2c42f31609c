# SPDX-License-Identifier: BSD-2-Clause
#
# Completion of gatepostctl for bash.  What can come next is asked of gatepost itself, by
# `gatepostctl --complete`: commands, pools, servers and listeners are those of the one that runs.

_gatepostctl() {
	local current=${COMP_WORDS[COMP_CWORD]} i=1
	local -a options=() words=()

	COMPREPLY=()
	while ((i < COMP_CWORD)); do
		case ${COMP_WORDS[i]} in
		-s | -c)
			((i + 1 == COMP_CWORD)) && {
				mapfile -t COMPREPLY < <(compgen -f -- "$current")
				return
			}
			[[ ${COMP_WORDS[i]} == -s ]] && options=(-s "${COMP_WORDS[i + 1]}")
			((i += 2))
			;;
		-*) ((i += 1)) ;;
		*) break ;;
		esac
	done
	if ((i == COMP_CWORD)) && [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W '-s -c --json --no-color --version --help' -- "$current")
		return
	fi
	words=("${COMP_WORDS[@]:i:COMP_CWORD-i}" "$current")
	mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" "${options[@]}" --complete "${words[@]}" 2>/dev/null)
}
complete -F _gatepostctl gatepostctl
