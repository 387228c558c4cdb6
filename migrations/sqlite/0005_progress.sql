DROP INDEX `events_of_principal`;--> statement-breakpoint
CREATE INDEX `events_of_principal` ON `events` (`principal`,`seq`) WHERE "type" <> 'task_progress';--> statement-breakpoint
ALTER TABLE `tasks` ADD `crashes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `tasks_suspect` ON `tasks` (`due_at`,`id`) WHERE "status" = 'pending' and "done_by" = 'handler' and "crashes" >= 2;--> statement-breakpoint
CREATE INDEX `callbacks_hearing_progress` ON `callbacks` (`principal`,`task_id`) WHERE "subscription_id" is null and "status" = 'active' and instr("events", 'task_progress') > 0;