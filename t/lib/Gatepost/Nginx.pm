# SPDX-License-Identifier: BSD-2-Clause
#
# Nginx.pm: a real nginx with a configuration of the test's own: blocks
# `http` and `mail`, with @PORT{name}@ for free ports and @DIR@ for the test's
# folder.
package Gatepost::Nginx;
use v5.36;
use parent -norequire, 'Gatepost::Process';
use Carp qw(croak);
use Gatepost::Port qw(free_port);
use Gatepost::Process qw(test_dir write_file);

$ENV{PATH} .= ':/usr/sbin';

# name, config => text, values => { NAME => what @NAME@ stands for }.
sub new ($class, %option) {
	my $name = $option{name} // croak 'an nginx needs a name';
	my $dir = test_dir();
	my $self = $class->SUPER::new(values => {}, %option, ports => {},
	    command => ['nginx', '-p', "$dir/", '-c', "$dir/$name.conf", '-e', 'stderr', '-g', 'daemon off;']);
	my %value = (DIR => $dir, %{ $self->{values} });
	my $text = $self->{config};

	$text =~ s/\@PORT\{(\w+)\}\@/$self->port($1)/ge;
	$text =~ s/\@(\w+)\@/$value{$1} \/\/ croak "no value for \@$1\@"/ge;
	my $modules = $text =~ /^mail\s*\{/m ? "load_module /usr/lib/nginx/modules/ngx_mail_module.so;\n" : '';
	my $user = $> == 0 ? "user root;\n" : '';
	my $paths = join '', map { "${_}_temp_path $dir/$name.$_;\n" } qw(client_body proxy fastcgi uwsgi scgi);
	$text =~ s/^http\s*\{/http {\naccess_log off;\n$paths/m;
	write_file("$dir/$name.conf", <<~"END" . $text);
		${modules}${user}worker_processes 1;
		pid $dir/$name.pid;
		error_log stderr info;
		events { worker_connections 4096; }
		END
	return $self;
}

sub port ($self, $name) { return $self->{ports}{$name} //= free_port() }

sub start ($self) {
	$self->SUPER::start;
	$self->wait_until_listening($self->port($_)) for sort keys %{ $self->{ports} };
	return $self;
}

1;
