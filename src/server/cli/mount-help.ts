// SPDX-License-Identifier: Apache-2.0

export interface MountTarget {
  readonly host: string;
  readonly port: number;
  readonly share: string;
  readonly user: string;
  readonly password: string;
}

/** As one word of a POSIX shell. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The exact commands that reach a share from each operating system. */
export function mountCommands(
  target: MountTarget,
): readonly { readonly system: string; readonly commands: string[] }[] {
  const { host, port, share, user, password } = target;
  const server = host.includes(":") ? `[${host}]` : host;
  const url = `${encodeURIComponent(user)}:${encodeURIComponent(password)}@${server}:${port}/${encodeURIComponent(share)}`;
  // Windows has no colons in UNC names: an IPv6 address is written with dashes.
  const uncHost = host.includes(":") ? `${host.replaceAll(":", "-")}.ipv6-literal.net` : host;
  const unc = `\\\\${uncHost}\\${share}`;
  const tcpPort = port === 445 ? "" : ` /TCPPORT:${port}`;
  const portOption = port === 445 ? "" : `port=${port},`;
  return [
    {
      system: "smbclient",
      commands: [`smbclient -p ${port} -U ${shellQuote(`${user}%${password}`)} ${shellQuote(`//${host}/${share}`)}`],
    },
    {
      system: "Linux",
      commands: [
        "sudo mkdir -p /mnt/tessera",
        `sudo mount -t cifs ${shellQuote(`//${host}/${share}`)} /mnt/tessera -o ${portOption}vers=3.1.1,` +
          `${shellQuote(`username=${user},password=${password}`)},uid=$(id -u),gid=$(id -g)`,
      ],
    },
    {
      system: "macOS",
      commands: ["mkdir -p ~/tessera", `mount_smbfs ${shellQuote(`//${url}`)} ~/tessera`],
    },
    {
      system: port === 445 ? "Windows" : "Windows 11 24H2 and later (older ones reach port 445 only)",
      commands: [`net use T: "${unc}"${tcpPort} /user:${user} "${password}"`],
    },
  ];
}
