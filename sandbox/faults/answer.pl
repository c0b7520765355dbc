# Answers every HTTP request that nftables has redirected here with one status, as an application that is broken.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use POSIX ();

use constant { MOST_HEAD => 65536, WITHIN => 10, LINGER => 2 };

my ($port, $status, $reason) = @ARGV;
my $body = "$status $reason: a fault of the sandbox\n";
my $answer = join "\r\n", "HTTP/1.1 $status $reason", 'Content-Type: text/plain', 'Connection: close',
    'Content-Length: ' . length $body, '', $body;

$SIG{CHLD} = 'IGNORE';
$SIG{PIPE} = 'IGNORE';
my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 128, ReuseAddr => 1) or die "cannot listen: $@\n";
$| = 1;
print "listening\n";
while (1) {
    my $accepted = $listener->accept or next;
    my $child = fork;
    if (defined $child && $child == 0) {
        close $listener;
        respond($accepted);
        POSIX::_exit(0);
    }
    close $accepted;
}

sub respond {
    my ($accepted) = @_;
    my $readable = IO::Select->new($accepted);
    my $head = '';
    until ($head =~ /\r?\n\r?\n/ || length $head > MOST_HEAD) {
        $readable->can_read(WITHIN) or return;
        sysread($accepted, $head, 4096, length $head) or return;
    }
    syswrite $accepted, $head =~ /^HEAD / ? substr($answer, 0, length($answer) - length $body) : $answer;
    shutdown $accepted, 1;
    # What is left of the request is read, or closing would reset the connection before the answer has been.
    while ($readable->can_read(LINGER)) {
        sysread($accepted, my $rest, 65536) or last;
    }
}
