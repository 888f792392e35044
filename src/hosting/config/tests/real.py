"""Reads configurations with supervisor 4.3.0 itself: the path of a root file a line on stdin; answers each with what it makes of it, as lines
of `place value`, then an empty line."""
import re
import sys
import warnings

warnings.simplefilter('ignore')
from supervisor.datatypes import Automatic, RestartUnconditionally, RestartWhenExitUnexpected
from supervisor.events import EventTypes
from supervisor.options import ServerOptions


class Refused(Exception):
    pass


def usage(message):
    raise Refused(str(message))


def without_environment(message):
    """The names of the environment are not told by ours."""
    def known(match):
        return match.group(1) + ', '.join(name for name in match.group(2).split(', ') if not name.startswith('ENV_'))
    return re.sub(r'(Available names: )([^ ,]+(?:, [^ ,]+)*)', known, message)


def shown(value):
    if value is None:
        return '-'
    if value is True or value is False:
        return str(value).lower()
    if value is Automatic:
        return 'auto'
    if value is RestartUnconditionally:
        return 'always'
    if value is RestartWhenExitUnexpected:
        return 'unexpected'
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, list):
        return '[' + ' '.join(shown(item) for item in value) + ']'
    if isinstance(value, dict):
        return '{' + ' '.join('%s=%s' % (repr(key), repr(value[key])) for key in sorted(value)) + '}'
    return repr(value)


DAEMON = ['minfds', 'minprocs', 'directory', 'user', 'umask', 'logfile', 'logfile_maxbytes', 'logfile_backups', 'loglevel', 'pidfile',
          'identifier', 'nodaemon', 'silent', 'childlogdir', 'nocleanup', 'strip_ansi', 'environment']
PROCESS = ['command', 'directory', 'umask', 'priority', 'autostart', 'autorestart', 'startsecs', 'startretries', 'stopsignal', 'stopwaitsecs',
           'stopasgroup', 'killasgroup', 'exitcodes', 'redirect_stderr', 'uid', 'environment', 'serverurl']
OUTPUT = ['logfile', 'logfile_maxbytes', 'logfile_backups', 'capture_maxbytes', 'events_enabled', 'syslog']


def bits(events):
    """The plain events that a pool hears."""
    names = [name for name in vars(EventTypes) if not name.startswith('_')]
    abstract = {'EVENT', 'PROCESS_STATE', 'PROCESS_LOG', 'PROCESS_COMMUNICATION', 'SUPERVISOR_STATE_CHANGE', 'TICK', 'PROCESS_GROUP'}
    return sorted(name for name in names if name not in abstract and issubclass(getattr(EventTypes, name), tuple(events)))


def read(path):
    options = ServerOptions()
    options.usage = usage
    options.realize(['-c', path], doc='')
    lines = []
    section = options.configroot.supervisord
    for key in DAEMON:
        lines.append('supervisord.%s %s' % (key, shown(getattr(section, key))))
    for config in options.server_configs:
        at = repr(config['file']) if 'file' in config else '%s:%d' % (config['host'], config['port'])
        mode = ' %o %s' % (config['chmod'], config['chown'][0]) if 'file' in config else ''
        lines.append('server %s %s%s %s %s' % (config['section'], at, mode, shown(config['username']), shown(config['password'])))
    lines.append('rpc %s' % shown(any(name == 'supervisor' for name, _, _ in options.rpcinterface_factories)))
    for group in options.process_group_configs:
        lines.append('group %s %d %d' % (repr(group.name), group.priority, len(group.process_configs)))
        if hasattr(group, 'pool_events'):
            lines.append('events %d %s' % (group.buffer_size, ' '.join(bits(group.pool_events))))
        if hasattr(group, 'socket_config'):
            socket = group.socket_config
            mode = ' %o' % socket.mode if hasattr(socket, 'mode') else ''
            lines.append('socket %s%s %s' % (socket.url, mode, shown(socket.backlog)))
        for process in group.process_configs:
            name = '%s:%s' % (group.name, process.name)
            for key in PROCESS:
                lines.append('%s.%s %s' % (name, key, shown(getattr(process, key))))
            for channel in ['stdout', 'stderr']:
                values = [shown(getattr(process, '%s_%s' % (channel, key))) for key in OUTPUT]
                lines.append('%s.%s %s' % (name, channel, ' '.join(values)))
    for kind, messages in [('critical', options.parse_criticals), ('warning', options.parse_warnings), ('info', options.parse_infos)]:
        lines.extend('%s %s' % (kind, repr(message)) for message in messages)
    return lines


for line in sys.stdin:
    try:
        print('\n'.join(read(line.rstrip('\n'))))
    except Refused as refused:
        print('refused ' + repr(without_environment(str(refused))))
    except Exception as error:
        print('broken %s' % type(error).__name__)
    print(flush=True)
