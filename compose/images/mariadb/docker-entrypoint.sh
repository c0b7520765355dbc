#!/bin/sh
# As the official image's: arguments alone are mariadbd's; root becomes mysql; an empty /var/lib/mysql gets its system
# tables, root's password, the database and its user, and what /docker-entrypoint-initdb.d has, in the order of its names.
set -eu

value() { # MARIADB_NAME, else MYSQL_NAME, or the content of the file that ..._FILE names
    for prefix in MARIADB MYSQL; do
        eval "direct=\${${prefix}_$1-} file=\${${prefix}_$1_FILE-}"
        if [ -n "$direct" ]; then printf %s "$direct" && return; fi
        if [ -n "$file" ]; then cat "$file" && return; fi
    done
}

text() { # a string of SQL
    printf "'%s'" "$(printf %s "$1" | sed "s/[\\\\']/\\\\&/g")"
}

accounts() { # not by echo, which has a meaning of its own for backslashes
    printf '%s\n' "FLUSH PRIVILEGES;" \
        "ALTER USER root@localhost IDENTIFIED BY $(text "$root");" \
        "CREATE USER root@'%' IDENTIFIED BY $(text "$root");" \
        "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
    if [ -n "$database" ]; then printf '%s\n' "CREATE DATABASE \`$database\`;"; fi
    if [ -n "$user" ]; then
        printf '%s\n' "CREATE USER $(text "$user")@'%' IDENTIFIED BY $(text "$password");"
        if [ -n "$database" ]; then printf '%s\n' "GRANT ALL ON \`$database\`.* TO $(text "$user")@'%';"; fi
    fi
}

initialise() {
    root=$(value ROOT_PASSWORD)
    if [ -n "$(value RANDOM_ROOT_PASSWORD)" ]; then
        root=$(head -c 24 /dev/urandom | base64)
        echo "[Note] [Entrypoint]: GENERATED ROOT PASSWORD: $root"
    elif [ -z "$root$(value ALLOW_EMPTY_ROOT_PASSWORD)$(value ALLOW_EMPTY_PASSWORD)" ]; then
        echo "[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified" >&2
        echo "    You need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and" \
            "MARIADB_RANDOM_ROOT_PASSWORD" >&2
        exit 1
    fi
    database=$(value DATABASE) user=$(value USER) password=$(value PASSWORD)
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
        *.sql | *.sql.gz | *'/*') ;;
        *) echo "[ERROR] [Entrypoint]: $file: this build runs SQL alone" >&2 && exit 1 ;;
        esac
    done
    tar -C /var/lib/mysql -xzf /usr/local/share/new.tar.gz
    # Statements go to a server that listens to nobody, and ends with them.
    {
        accounts
        if [ -n "$database" ]; then echo "USE \`$database\`;"; fi
        for file in /docker-entrypoint-initdb.d/*; do
            case "$file" in
            *.sql) echo "[Note] [Entrypoint]: running $file" >&2 && cat "$file" && echo ;;
            *.sql.gz) echo "[Note] [Entrypoint]: running $file" >&2 && gunzip -c "$file" && echo ;;
            esac
        done
    } | mariadbd --bootstrap --skip-networking
}

if [ "${1#-}" != "$1" ]; then
    set -- mariadbd "$@"
fi
if [ "$1" = mariadbd ] || [ "$1" = mysqld ]; then
    if [ "$(id -u)" = 0 ]; then
        find /var/lib/mysql /run/mysqld \! -user mysql -exec chown mysql:mysql '{}' +
        exec setpriv --reuid=mysql --regid=mysql --init-groups "$0" "$@"
    fi
    if [ ! -d /var/lib/mysql/mysql ]; then
        initialise
    fi
fi
exec "$@"
